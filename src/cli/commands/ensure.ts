import { EXIT, type ExitCode } from "../../base/errors.ts";
import { monotonicMs } from "../../base/deadline.ts";
import { connectBroker } from "../../client/connect.ts";
import { briefStatus } from "../workspace/brief-status.ts";
import { appServerNote, headline } from "../workspace/status-view.ts";
import { clientInfo, wantedScope, wantedStart } from "../workspace/wanted.ts";
import type { ensureOptions } from "../quick-commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";

export async function execute(given: Given<typeof ensureOptions>): Promise<ExitCode> {
  const began = monotonicMs();
  const client = await connectBroker({
    ...wantedScope(given),
    ...wantedStart(given),
    clientInfo: clientInfo("ensure"),
  });
  const status = await briefStatus(client);
  const tookMs = Math.round(monotonicMs() - began);
  const { started } = client;
  if (given.has("json")) out.json({ ...status, started });
  else {
    const how = started ? `started in ${tookMs} ms` : `was running, found in ${tookMs} ms`;
    out.line(headline(status, out));
    const facts = [
      `epoch ${status.epoch}`,
      `process ${status.pid}`,
      appServerNote(status.appServer),
      how,
    ];
    out.line(out.paint("dim", `  ${facts.join(" · ")}`));
  }
  return EXIT.ok;
}
