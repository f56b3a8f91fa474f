import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { trace } from "../../base/trace.ts";
import { neutralDirectory } from "../../os/neutral-directory.ts";
import type { hookOptions } from "../commands.ts";
import { exportLines } from "../host/host-session.ts";
import { readSettings } from "../host/workspace-settings.ts";
import { answerOf } from "../hook/gate-outcome.ts";
import { hostJson, type HookAnswer } from "../hook/hook-answer.ts";
import { readHookInput, type HookInput } from "../hook/hook-input.ts";
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

/** A hook that cannot do its work is no reason to block anything: `perform` ends every hook with 0. */
export async function execute(given: Given<typeof hookOptions>): Promise<ExitCode> {
  const [name = ""] = given.operands;
  if (name === "cancel-jobs") {
    const { cancelJobsOfSession } = await import("../hook/cancel-jobs.ts");
    return await cancelJobsOfSession(given.text("session"));
  }
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
    const answer = await answerTo(name, event, deadline);
    const json = hostJson(answer);
    if (json !== undefined) out.json(json);
  } catch (error) {
    printFailure(failureOf(error), err);
  }
  return EXIT.ok;
}

async function answerTo(name: string, event: Event, deadline: Deadline): Promise<HookAnswer> {
  const before = beforeItPasses(deadline);
  const reading = await readHookInput(process.stdin, before.within(INPUT_WITHIN_MS));
  // What needs no waiting is done even if the time is up.
  if (reading.state === "read") {
    return await deadline.race(event(reading.input, before), () => tooLate(name));
  }
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
    const { settings, damage } = readSettings(placesOf(cwd));
    if (damage !== undefined) err.line(`codex-broker: ${damage}`);
    if (settings.jobsAtEnd === "cancel") leaveBehind(session);
    return await Promise.resolve({});
  },

  async stop({ cwd = process.cwd(), stopHookActive, lastMessage }, deadline) {
    const { settings, damage } = readSettings(placesOf(cwd));
    if (damage !== undefined && !settings.reviewGate) {
      return { notice: `Codex review gate: off, because ${damage}` };
    }
    // Once is enough: an agent that was sent back already would be sent back for ever.
    if (!settings.reviewGate || stopHookActive) return {};
    // Loaded only here: most hooks have nothing to do, and are waited for.
    const { runGate } = await import("../hook/gate.ts");
    return answerOf(await runGate({ cwd, lastMessage, deadline }));
  },
};

/** The session may have left the directory that it began in, which the host names apart. */
function placesOf(cwd: string = process.cwd()): string[] {
  return [cwd, process.env["CLAUDE_PROJECT_DIR"]].filter((place) => place !== undefined);
}

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

function tooLate(name: string): BrokerError {
  return new BrokerError("timedOut", `The hook ${name} was not done in time.`, {
    hint: "Nothing was ended or changed; `codex-broker doctor` says how the broker does.",
  });
}
