import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { pause } from "../../base/deadline.ts";
import { listEpochs } from "../../lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import type { logsOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { LEVEL_NAMES, type Level } from "../log/log-line.ts";
import { LogPrinter } from "../log/log-printer.ts";
import { err, out } from "../output/output.ts";
import { wantedScope } from "../workspace/wanted.ts";

const LOOK_AGAIN_MS = 150;

export async function execute(given: Given<typeof logsOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const wanted = given.count("epoch");
  const epochs = listEpochs(scope.directory);
  if (wanted !== undefined && !epochs.includes(wanted)) throw noSuchEpoch(wanted, epochs);
  const lines = given.count("lines") ?? Infinity;
  const log = new ScopeLog(scope, given.has("json"), leastLevel(given));

  const epoch = wanted ?? epochs[0];
  if (epoch !== undefined) log.turnTo(epoch, lines);
  else err.line(err.paint("dim", "No broker has been started for this workspace yet."));
  if (!given.has("follow")) return EXIT.ok;

  const readerGone = new AbortController();
  out.whenReaderGoes(() => readerGone.abort());
  while (!readerGone.signal.aborted) {
    await pause(LOOK_AGAIN_MS, readerGone.signal);
    log.print();
    if (wanted !== undefined && log.ended) break;
    const newest = wanted ?? listEpochs(scope.directory)[0];
    if (newest !== undefined) log.turnTo(newest, Infinity);
  }
  return EXIT.ok;
}

/** The logs of a scope's epochs, one at a time. What an older one still has to say stays in its file. */
class ScopeLog {
  readonly #scope: Scope;
  readonly #raw: boolean;
  readonly #level: Level | undefined;
  #epoch: number | undefined;
  #printer: LogPrinter | undefined;

  constructor(scope: Scope, raw: boolean, level: Level | undefined) {
    this.#scope = scope;
    this.#raw = raw;
    this.#level = level;
  }

  get ended(): boolean {
    return this.#printer?.ended ?? false;
  }

  turnTo(epoch: number, lines: number): void {
    if (this.#epoch === epoch) return;
    this.#epoch = epoch;
    if (!this.#raw) out.line(out.paint("dim", `── epoch ${epoch} ──`));
    const options = { scopeDir: this.#scope.directory, epoch, raw: this.#raw, lines };
    this.#printer = new LogPrinter({ ...options, level: this.#level }, out);
    this.#printer.print();
  }

  print(): void {
    this.#printer?.print();
  }
}

/** Programs get every line unless they ask for fewer. */
function leastLevel(given: Given<typeof logsOptions>): Level | undefined {
  return given.choice("level", LEVEL_NAMES) ?? (given.has("json") ? undefined : "info");
}

function noSuchEpoch(epoch: number, epochs: readonly number[]): BrokerError {
  const there =
    epochs.length === 0 ? "there is none" : `there are ${epochs.toReversed().join(", ")}`;
  return new BrokerError(
    "usage",
    `There is no epoch ${epoch} of this workspace's broker; ${there}.`,
  );
}
