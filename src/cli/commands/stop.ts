import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline, monotonicMs, pause } from "../../base/deadline.ts";
import { readEpoch, type ServingRecord } from "../../lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import { livenessOf } from "../../os/process-identity.ts";
import type { BrokerRequests } from "../../wire/broker-protocol.ts";
import { lookForBroker, windingDown, type Found } from "../workspace/ask.ts";
import { wantedScope } from "../workspace/wanted.ts";
import type { stopOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { counted, duration } from "../output/amounts.ts";
import { err, out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
/** Between two looks at whether it has ended, or has started far enough to be asked. */
const LOOK_AGAIN_MS = 20;

export async function execute(given: Given<typeof stopOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const timeoutMs = given.seconds("timeout") ?? DEFAULT_TIMEOUT_MS;
  const deadline = Deadline.after(timeoutMs);
  const began = monotonicMs();
  const found = await settledBroker(scope, deadline);
  const record = found === undefined ? undefined : brokerIn(found);
  if (found === undefined || record === undefined) {
    reportNothing(scope, found?.seen.verdict.reason ?? "it is only starting", given.has("json"));
    return EXIT.ok;
  }
  const force = given.has("force");
  const turns = await ask(found, force, deadline);
  if (turns > 0 && !force) {
    const end = "and ends when it has none left; `codex-broker stop --force` interrupts them";
    err.line(
      err.paint("dim", `epoch ${record.epoch} waits for ${counted(turns, "running turn")} ${end}`),
    );
  }
  await ended(scope, record, turns, deadline, timeoutMs);
  const tookMs = Math.round(monotonicMs() - began);
  const { epoch, broker } = record;
  if (given.has("json")) {
    const { key, workspace, stateDir } = scope;
    out.json({
      state: "stopped",
      scope: key,
      workspace,
      stateDir,
      epoch,
      pid: broker.pid,
      turns,
      tookMs,
    });
  } else {
    out.line(
      `${out.paint("dim", "○")} stopped  ${out.paint("bold", printableLine(scope.workspace))}`,
    );
    out.line(
      out.paint("dim", `  epoch ${epoch} · process ${broker.pid} · took ${duration(tookMs)}`),
    );
  }
  return EXIT.ok;
}

/** A broker that somebody is just starting cannot be asked yet. */
async function settledBroker(scope: Scope, deadline: Deadline): Promise<Found | undefined> {
  for (;;) {
    const found = await lookForBroker(scope, "stop");
    const { observation, verdict } = found.seen;
    if (observation.state !== "claimed" || verdict.step !== "wait") return found;
    if (deadline.expired) return undefined;
    await pause(LOOK_AGAIN_MS);
  }
}

/** @throws BrokerError when one is there that cannot be asked: it is not ours to end by other means. */
function brokerIn({ seen, link }: Found): ServingRecord | undefined {
  if (seen.observation.state !== "serving") return undefined;
  if (link !== undefined) return seen.observation.record;
  if (seen.verdict.verdict === "unresponsive") {
    throw new BrokerError(
      "requestTimedOut",
      `The broker cannot be asked to end: ${seen.verdict.reason}.`,
      {
        hint: "Try again in a moment; `codex-broker ensure` starts another one beside it.",
      },
    );
  }
  return windingDown(seen);
}

/** @returns how many turns it lets finish. */
async function ask({ link }: Found, force: boolean, deadline: Deadline): Promise<number> {
  if (link === undefined) return 0;
  const answer = await link.connection.request("broker/stop", { force }, { deadline });
  return (answer as BrokerRequests["broker/stop"]["result"]).turns;
}

async function ended(
  scope: Scope,
  record: ServingRecord,
  turns: number,
  deadline: Deadline,
  timeoutMs: number,
): Promise<void> {
  while (!hasEnded(scope.directory, record)) {
    if (deadline.expired) {
      const why = turns > 0 ? ": it lets its turns finish" : "";
      throw new BrokerError(
        "timedOut",
        `The broker has not ended within ${duration(timeoutMs)}${why}.`,
        {
          details: { epoch: record.epoch, pid: record.broker.pid, turns },
          hint: "It takes no new work and will end; see `codex-broker status`.",
        },
      );
    }
    await pause(LOOK_AGAIN_MS);
  }
}

function hasEnded(scopeDir: string, record: ServingRecord): boolean {
  const liveness = livenessOf(record.broker);
  if (liveness !== "unknown") return liveness === "gone";
  // Where nothing can be proven about the process, its own last word has to do.
  const reading = readEpoch(scopeDir, record.epoch);
  return reading?.state !== "read" || reading.record.state === "ended";
}

function reportNothing({ key, workspace, stateDir }: Scope, reason: string, json: boolean): void {
  if (json) return out.json({ state: "absent", reason, scope: key, workspace, stateDir });
  out.line(
    `${out.paint("dim", "○")} nothing to stop  ${out.paint("bold", printableLine(workspace))}`,
  );
  out.line(out.paint("dim", `  ${printableLine(reason)}`));
}
