import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { pause } from "../../base/deadline.ts";
import { listEpochs } from "../../lifecycle/epoch-file.ts";
import { resolveScope } from "../../lifecycle/scope.ts";
import { wantedScope } from "../broker/wanted.ts";
import type { logsOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { LogPrinter } from "../log/log-printer.ts";
import { err, out } from "../output/output.ts";

const LOOK_AGAIN_MS = 150;

export async function execute(given: Given<typeof logsOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const chosen = given.count("epoch");
  const lines = given.count("lines") ?? Infinity;
  const raw = given.has("json") || !out.isTerminal;
  const epochs = listEpochs(scope.directory);
  let epoch = chosen ?? epochs[0];
  if (chosen !== undefined && !epochs.includes(chosen)) throw noSuchEpoch(chosen, epochs);
  if (epoch === undefined) {
    err.line(
      err.paint("dim", "No broker has been started for this workspace, so there is no log."),
    );
    if (!given.has("follow")) return EXIT.ok;
  }

  let readerGone = false;
  out.whenReaderGoes(() => (readerGone = true));
  let printer = epoch === undefined ? undefined : begin(epoch, lines);
  printer?.print();
  while (given.has("follow") && !readerGone && !(chosen !== undefined && printer?.ended === true)) {
    await pause(LOOK_AGAIN_MS);
    printer?.print();
    const newest = chosen ?? listEpochs(scope.directory)[0];
    if (newest === undefined || newest === epoch) continue;
    // An older broker may have more to say while it drains; its own log keeps that.
    epoch = newest;
    printer = begin(newest, Infinity);
    printer.print();
  }
  return EXIT.ok;

  function begin(epoch: number, lines: number): LogPrinter {
    if (!raw) out.line(out.paint("dim", `── epoch ${epoch} ──`));
    return new LogPrinter({ scopeDir: scope.directory, epoch, raw, lines }, out);
  }
}

function noSuchEpoch(epoch: number, epochs: readonly number[]): BrokerError {
  const there =
    epochs.length === 0 ? "there is none" : `there are ${epochs.toReversed().join(", ")}`;
  return new BrokerError(
    "usage",
    `There is no epoch ${epoch} of this workspace's broker; ${there}.`,
  );
}
