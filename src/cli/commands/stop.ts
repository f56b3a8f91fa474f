import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { takeCensus } from "../../lifecycle/census.ts";
import { findBroker } from "../../lifecycle/ensure.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import {
  absenceReason,
  livingSiblings,
  siblingJson,
  siblingLine,
} from "../workspace/siblings-view.ts";
import type { Sibling } from "../../lifecycle/siblings.ts";
import { introductionOf } from "../workspace/ask.ts";
import { sayFarewell, type FarewellState, type Parted } from "../workspace/farewell.ts";
import { wantedScope } from "../workspace/wanted.ts";
import type { stopOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { counted, duration } from "../output/amounts.ts";
import { err, out, type Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";

const DEFAULT_TIMEOUT_MS = 60_000;

export async function execute(given: Given<typeof stopOptions>): Promise<ExitCode> {
  return given.has("all") ? await stopAll(given) : await stopWorkspace(given);
}

async function stopAll(given: Given<typeof stopOptions>): Promise<ExitCode> {
  const named = (["cwd", "codex", "label"] as const).find((name) => given.has(name));
  if (named !== undefined) {
    throw new BrokerError("usage", `--all means every workspace, so --${named} says nothing.`);
  }
  const stateDir = stateDirectory().path;
  const parted = await part(takeCensus(stateDir), given);
  const ended = parted.every(isSettled);
  if (given.has("json")) {
    const state = parted.length === 0 ? "absent" : ended ? "stopped" : "unfinished";
    out.json({ state, stateDir, brokers: parted.map(brokerJson) });
  } else if (parted.length === 0) {
    out.line(`${out.paint("dim", "○")} nothing to stop`);
  } else {
    for (const each of parted) printParted(each);
  }
  return ended ? EXIT.ok : EXIT.timedOut;
}

async function stopWorkspace(given: Given<typeof stopOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const parted = await part([scope], given);
  const siblings = await livingSiblings(scope, "stop");
  const [newest, ...older] = parted;
  if (newest === undefined) {
    await reportNothing(scope, siblings, given.has("json"));
    return EXIT.ok;
  }
  const unfinished = parted.find((each) => !isSettled(each));
  if (unfinished !== undefined) throw failureOf(unfinished, parted, timeoutOf(given));
  if (given.has("json")) {
    const { key, workspace, stateDir } = scope;
    const { state, epoch, pid, turns, tookMs } = brokerJson(newest);
    const place = { scope: key, workspace, stateDir };
    const others = { older: older.map(brokerJson), siblings: siblings.map(siblingJson) };
    out.json({ state, ...place, epoch, pid, turns, tookMs, ...others });
  } else {
    for (const each of parted) printParted(each);
    printSiblings(siblings);
  }
  return EXIT.ok;
}

function printSiblings(siblings: readonly Sibling[]): void {
  for (const sibling of siblings) {
    out.line(`${out.paint("green", "●")} not stopped  ${siblingLine(sibling)}`);
  }
  if (siblings.length > 0) out.line(out.paint("dim", "  → codex-broker stop --all"));
}

async function part(
  scopes: Parameters<typeof sayFarewell>[0],
  given: Given<typeof stopOptions>,
): Promise<Parted[]> {
  const byForce = `\`codex-broker stop ${given.has("all") ? "--all " : ""}--force\``;
  return await sayFarewell(scopes, {
    force: given.has("force"),
    deadline: Deadline.after(timeoutOf(given)),
    onTurns: ({ epoch, workspace }, turns) => {
      const where = given.has("all") ? ` of ${printableLine(workspace)}` : "";
      const end = `and ends when it has none left; ${byForce} interrupts them`;
      const words = `epoch ${epoch}${where} waits for ${counted(turns, "running turn")} ${end}`;
      err.line(err.paint("dim", words));
    },
  });
}

function timeoutOf(given: Given<typeof stopOptions>): number {
  return given.seconds("timeout") ?? DEFAULT_TIMEOUT_MS;
}

/** What runs on another host or in another container is not ours to end, nor to wait for. */
function isSettled({ state }: Parted): boolean {
  return state === "stopped" || state === "elsewhere";
}

function brokerJson({ scope, record, state, turns, tookMs }: Parted): {
  readonly state: FarewellState;
  readonly scope: string;
  readonly workspace: string;
  readonly epoch: number;
  readonly pid: number;
  readonly turns: number;
  readonly tookMs: number;
} {
  const { workspace, epoch, broker } = record;
  return { state, scope, workspace, epoch, pid: broker.pid, turns, tookMs };
}

interface Look {
  readonly symbol: string;
  readonly paint: Paint;
  readonly note?: string;
  readonly next?: string;
}

const LOOKS: Readonly<Record<FarewellState, Look>> = {
  stopped: { symbol: "○", paint: "dim" },
  draining: {
    symbol: "●",
    paint: "yellow",
    note: "finishes its turns",
    next: "codex-broker stop --force",
  },
  silent: {
    symbol: symbols.failed,
    paint: "red",
    note: "does not answer",
    next: "codex-broker doctor --fix",
  },
  denied: {
    symbol: symbols.failed,
    paint: "red",
    note: "a sandbox does not let us ask",
    next: "codex-broker doctor",
  },
  rejected: {
    symbol: symbols.failed,
    paint: "red",
    note: "has as many sessions as it may have",
    next: "codex-broker status",
  },
  unasked: {
    symbol: symbols.failed,
    paint: "red",
    note: "could not be asked: this process cannot connect",
    next: "codex-broker stop",
  },
  elsewhere: {
    symbol: "○",
    paint: "dim",
    note: "of another host or container, where it has to be stopped",
  },
};

function printParted({ record, state, tookMs }: Parted): void {
  const { symbol, paint, note, next } = LOOKS[state];
  const place = out.paint("bold", printableLine(record.workspace));
  const facts = [`epoch ${record.epoch}`, `process ${record.broker.pid}`];
  facts.push(note ?? `took ${duration(tookMs)}`);
  const hint = next === undefined ? "" : `  → ${next}`;
  const line = `${out.paint(paint, symbol)} ${state}  ${place}`;
  out.line(`${line}${out.paint("dim", `  ${facts.join(" · ")}${hint}`)}`);
}

/** @returns why it is not over, in the words of whichever broker is in the way. */
function failureOf(
  { record, state, turns }: Parted,
  all: readonly Parted[],
  timeoutMs: number,
): BrokerError {
  const { epoch, broker } = record;
  const details = { epoch, pid: broker.pid, turns, brokers: all.map(brokerJson) };
  switch (state) {
    case "denied":
      return new BrokerError("sandboxDenied", "The system does not let us ask the broker to end.", {
        details,
      });
    case "silent":
      return new BrokerError(
        "requestTimedOut",
        `The broker of epoch ${epoch} (process ${broker.pid}) does not answer, so it cannot be asked to end.`,
        { details, hint: "Run `codex-broker doctor --fix`: it ends what is proven to hang." },
      );
    case "rejected":
      return new BrokerError(
        "tooManySessions",
        `The broker of epoch ${epoch} (process ${broker.pid}) has as many sessions as it may have, so it cannot be asked to end.`,
        { details },
      );
    case "unasked":
      return new BrokerError(
        "brokerUnavailable",
        `The broker of epoch ${epoch} (process ${broker.pid}) could not be asked to end: this process cannot connect.`,
        { details, hint: "Close files, or raise the limits of this process (`ulimit -n`)." },
      );
    default: {
      const why = turns > 0 ? ": it lets its turns finish" : "";
      return new BrokerError(
        "timedOut",
        `The broker of epoch ${epoch} has not ended within ${duration(timeoutMs)}${why}.`,
        { details, hint: "It takes no new work and will end; see `codex-broker ps`." },
      );
    }
  }
}

async function reportNothing(
  scope: Scope,
  siblings: readonly Sibling[],
  json: boolean,
): Promise<void> {
  const { verdict, link } = await findBroker(scope, introductionOf("stop"));
  link?.connection.close();
  const { key, workspace, stateDir } = scope;
  const reason = absenceReason(verdict.reason, siblings);
  if (json) {
    const others = siblings.map(siblingJson);
    return out.json({
      state: "absent",
      reason,
      scope: key,
      workspace,
      stateDir,
      siblings: others,
    });
  }
  const place = out.paint("bold", printableLine(workspace));
  out.line(`${out.paint("dim", "○")} nothing to stop  ${place}`);
  out.line(out.paint("dim", `  ${printableLine(reason)}`));
  printSiblings(siblings);
}
