import { EXIT, type ExitCode } from "../../base/errors.ts";
import { monotonicMs } from "../../base/deadline.ts";
import { connectBroker } from "../../client/connect.ts";
import { briefStatus } from "../workspace/brief-status.ts";
import { headline } from "../workspace/status-view.ts";
import { clientInfo, wantedScope, wantedStart } from "../workspace/wanted.ts";
import type { rotateOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { duration } from "../output/amounts.ts";
import { out } from "../output/output.ts";

export async function execute(given: Given<typeof rotateOptions>): Promise<ExitCode> {
  const began = monotonicMs();
  const client = await connectBroker({
    ...wantedScope(given),
    ...wantedStart(given),
    replace: true,
    clientInfo: clientInfo("rotate"),
  });
  const status = await briefStatus(client);
  const tookMs = Math.round(monotonicMs() - began);
  if (given.has("json")) out.json({ ...status, tookMs });
  else {
    out.line(headline(status, out));
    const facts = [`epoch ${status.epoch}`, `process ${status.pid}`, `took ${duration(tookMs)}`];
    out.line(out.paint("dim", `  ${facts.join(" · ")} · running turns finish in the older one`));
  }
  return EXIT.ok;
}
