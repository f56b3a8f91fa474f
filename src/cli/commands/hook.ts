import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline, pause } from "../../base/deadline.ts";
import { trace } from "../../base/trace.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import { neutralDirectory } from "../../os/neutral-directory.ts";
import type { hookOptions } from "../commands.ts";
import { exportLines } from "../host/host-session.ts";
import { readSettings } from "../host/workspace-settings.ts";
import { answerOf } from "../hook/gate-outcome.ts";
import { runGate } from "../hook/gate.ts";
import { hostJson, type HookAnswer } from "../hook/hook-answer.ts";
import { readHookInput, type HookInput } from "../hook/hook-input.ts";
import { allJobsOfSession, type JobOfSession } from "../host/session-jobs.ts";
import { cancelJob } from "../jobs/reach.ts";
import type { Given } from "../line/given.ts";
import { failureOf, printFailure } from "../output/failure.ts";
import { err, out } from "../output/output.ts";
import { ownFile } from "../slash/own-program.ts";

type Event = (input: HookInput, deadline: Deadline) => Promise<HookAnswer>;

/** A host that says more is slower than its own bounds allow. */
const INPUT_WITHIN_MS = 2_000;
/** Unless the line says so. A host ends a hook after ten minutes by itself. */
const DEFAULT_WITHIN_MS = 5_000;
const TO_SAY_SO_MS = 1_000;
const CANCEL_WITHIN_MS = 60_000;
const ASK_AGAIN_AFTER_MS = 1_000;

/**
 * Always ends with 0, or with what a mistyped line gives: a host takes some other codes for "blocked",
 * and a hook that could not do its work is no reason to block anything.
 */
export async function execute(given: Given<typeof hookOptions>): Promise<ExitCode> {
  const [name = ""] = given.operands;
  if (name === "cancel-jobs") return await cancelJobs(given);
  const event = Object.hasOwn(events, name) ? events[name] : undefined;
  if (event === undefined) {
    throw new BrokerError("turnFailed", `There is no hook ${JSON.stringify(name)}.`, {
      hint: `There are ${Object.keys(events).join(", ")}.`,
    });
  }
  // Counted from the start of the process, as the host does.
  const budgetMs = given.seconds("within") ?? DEFAULT_WITHIN_MS;
  const deadline = Deadline.after(budgetMs - process.uptime() * 1_000);
  try {
    const answer = await deadline.race(answerTo(event, deadline), () => tooLate(name));
    const json = hostJson(answer);
    if (json !== undefined) out.json(json);
  } catch (error) {
    printFailure(failureOf(error), err);
  }
  return EXIT.ok;
}

async function answerTo(event: Event, deadline: Deadline): Promise<HookAnswer> {
  const before = beforeItPasses(deadline);
  const reading = await readHookInput(process.stdin, before.within(INPUT_WITHIN_MS));
  if (reading.state === "read") return await event(reading.input, before);
  err.line(`codex-broker: the hook did nothing: ${reading.why}`);
  return {};
}

/** What is not done must still be said. */
function beforeItPasses(deadline: Deadline): Deadline {
  const left = deadline.remainingMs;
  return deadline.within(left - Math.min(TO_SAY_SO_MS, left / 10));
}

const events: Readonly<Record<string, Event>> = {
  async "session-start"({ session, transcript }) {
    const file = process.env["CLAUDE_ENV_FILE"];
    if (file && session !== undefined) appendFileSync(file, exportLines({ session, transcript }));
    return await Promise.resolve({});
  },

  async "session-end"({ session, cwd, reason }) {
    // The user goes on in the same place: nothing that was started has become unwanted.
    if (session === undefined || reason === "clear" || reason === "resume") return {};
    const { settings, damage } = readSettings(cwd ?? process.cwd());
    if (damage !== undefined) err.line(`codex-broker: ${damage}`);
    if (settings.jobsAtEnd === "cancel") leaveBehind(session);
    return await Promise.resolve({});
  },

  async stop({ cwd = process.cwd(), stopHookActive, lastMessage }, deadline) {
    const { settings, damage } = readSettings(cwd);
    if (damage !== undefined) return { notice: `Codex review gate: off, because ${damage}` };
    // Once is enough: an agent that was sent back already would be sent back for ever.
    if (!settings.reviewGate || stopHookActive) return {};
    return answerOf(await runGate({ cwd, lastMessage, deadline }));
  },
};

/** A session's end is given a second or two, and a broker may need longer to end a turn. */
function leaveBehind(session: string): void {
  const args = [ownFile(), "hook", "cancel-jobs", "--session", session];
  const child = spawn(process.execPath, args, {
    detached: true,
    windowsHide: true,
    cwd: neutralDirectory(),
    stdio: "ignore",
  });
  child.on("error", (error) => trace("warn", "hook.notLeftBehind", { error: String(error) }));
  child.unref();
}

/**
 * What `session-end` leaves behind. Each job is asked of the very broker that runs it, and nobody is
 * signalled; one that does not answer is asked again for a while.
 */
async function cancelJobs(given: Given<typeof hookOptions>): Promise<ExitCode> {
  const session = given.text("session");
  if (session === undefined) throw new BrokerError("turnFailed", "No session was named.");
  const deadline = Deadline.after(given.seconds("within") ?? CANCEL_WITHIN_MS);
  for (;;) {
    const jobs = await allJobsOfSession(stateDirectory().path, session);
    await Promise.all(jobs.map(tryToCancel));
    const isOpen = jobs.some(({ state }) => state === "running" || state === "unconfirmed");
    if (!isOpen || deadline.expired) return EXIT.ok;
    await pause(ASK_AGAIN_AFTER_MS);
  }
}

async function tryToCancel(view: JobOfSession): Promise<void> {
  if (view.state !== "running") return;
  try {
    const { outcome } = await cancelJob(view);
    out.line(`job ${view.id}: ${outcome ?? "told to end"}`);
  } catch (error) {
    printFailure(failureOf(error), err);
  }
}

function tooLate(name: string): BrokerError {
  return new BrokerError("timedOut", `The hook ${name} was not done in time.`, {
    hint: "Nothing was ended or changed; `codex-broker doctor` says how the broker does.",
  });
}
