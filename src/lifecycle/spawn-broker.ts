import { closeSync, openSync, readFileSync } from "node:fs";
import type { Duplex } from "node:stream";
import { BrokerError, messageOf } from "../base/errors.ts";
import type { Deadline } from "../base/deadline.ts";
import { deferred, type Deferred } from "../base/deferred.ts";
import { systemLimitOf } from "../base/system-limit.ts";
import { trace } from "../base/trace.ts";
import { startOutsideJob, type FreeProcess, type FreeStart } from "../os/free-start.ts";
import { neutralDirectory } from "../os/neutral-directory.ts";
import { LineSplitter } from "../wire/line-splitter.ts";
import { brokerProgram } from "./broker-program.ts";
import { inheritanceFrom } from "./environment.ts";
import { epochLogPath } from "./epoch-file.ts";
import { REPORT_DESCRIPTOR, type StartOrder, type StartReport } from "./start-protocol.ts";

const MAX_REPORT_BYTES = 64 * 1024;
const LOG_TAIL_BYTES = 4 * 1024;
/** Somebody else may hold the pipe open for ever. */
const LAST_WORDS_MS = 1_000;
/** How often a process is looked at that Node did not start, and so tells nothing of. */
const LOOK_EVERY_MS = 10;

/**
 * Starts a broker that outlives this process, and waits until it listens. The result is pushed by the
 * broker and raced with its exit, so neither a crash nor a slow start is mistaken for the other.
 *
 * @throws BrokerError what the broker reported, or `brokerStartFailed` when it ended without a word,
 *   or `brokerUnavailable` when the deadline passed first (the broker is then left to its epoch).
 */
export async function spawnBroker(
  order: StartOrder,
  deadline: Deadline,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const logPath = epochLogPath(order.scope.directory, order.claim.epoch);
  const outcome = deferred<StartReport>();
  let started: Started | undefined;
  try {
    started = await launch(order, logPath, env, {
      onReport: reportReader(outcome),
      onError: outcome.reject,
      onExit: (code, signal) => outcome.reject(endedWithoutWord(code, signal, logPath)),
    });
    trace("debug", "broker.spawned", { epoch: order.claim.epoch, pid: started.pid });
    const report = await deadline.race(outcome.promise, () => tooSlow(order.claim.epoch));
    if (report.state === "failed") throw BrokerError.fromJSON(report.error);
  } catch (error) {
    if (BrokerError.is(error)) throw error;
    const limit = systemLimitOf(error);
    if (limit !== undefined) throw limit;
    const message = `The broker could not be started: ${messageOf(error)}.`;
    throw new BrokerError("brokerStartFailed", message, { cause: error });
  } finally {
    started?.release();
  }
}

/** A broker that has been started, as long as somebody waits for what becomes of it. */
interface Started {
  readonly pid: number | undefined;
  /** It is on its own from here on. */
  release(): void;
}

interface StartEvents {
  onReport(chunk: Buffer): void;
  onError(error: Error): void;
  onExit(code: number | null, signal: string | null): void;
}

async function launch(
  order: StartOrder,
  logPath: string,
  env: NodeJS.ProcessEnv,
  events: StartEvents,
): Promise<Started> {
  const { scope, claim } = order;
  const { broker, restored: environment } = inheritanceFrom(env);
  const plan = {
    program: process.execPath,
    args: [brokerProgram(), `--scope=${scope.shortKey}`, `--epoch=${claim.epoch}`],
    cwd: neutralDirectory(),
    env: forBroker(broker, scope.codexHome),
    logPath,
    input: Buffer.from(`${JSON.stringify({ ...order, environment } satisfies StartOrder)}\n`),
  };
  const free = startOutsideJob(plan);
  return free === undefined ? await spawned(plan, events) : watched(free, events);
}

async function spawned(
  { program, args, cwd, env, logPath, input }: FreeStart,
  { onReport, onError, onExit }: StartEvents,
): Promise<Started> {
  // Most who ask find a broker, and need not load it.
  const { spawn } = await import("node:child_process");
  const log = openSync(logPath, "a", 0o600);
  try {
    const child = spawn(program, args, {
      detached: true,
      windowsHide: true,
      cwd,
      env,
      stdio: ["pipe", log, log, "pipe"],
    });
    child.once("error", onError);
    // Without descriptors left, Node gives a child that has no streams, and tells why a little later.
    const report = child.stdio?.[REPORT_DESCRIPTOR] as Duplex | undefined;
    report?.on("data", onReport);
    report?.on("error", () => {});
    child.once("exit", (code, signal) => onceRead(report, () => onExit(code, signal)));
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    return {
      pid: child.pid,
      release() {
        report?.destroy();
        child.unref();
      },
    };
  } finally {
    closeSync(log);
  }
}

/** What a process wrote before it ended may be told of after its end. */
function onceRead(report: Duplex | undefined, then: () => void): void {
  if (report === undefined || report.closed) return then();
  const timer = setTimeout(then, LAST_WORDS_MS);
  report.once("close", () => {
    clearTimeout(timer);
    then();
  });
}

function watched(free: FreeProcess, { onReport, onExit }: StartEvents): Started {
  const timer = setInterval(() => {
    // In this order: what it has written before it ended is read.
    const code = free.exitCode();
    onReport(free.read());
    if (code !== undefined) onExit(code, null);
  }, LOOK_EVERY_MS);
  return {
    pid: free.pid,
    release() {
      clearInterval(timer);
      free.close();
    },
  };
}

function forBroker(env: NodeJS.ProcessEnv, codexHome: string): NodeJS.ProcessEnv {
  const kept = { ...env };
  // A relative path would lead elsewhere from where the app-server runs.
  if (kept["CODEX_HOME"] !== undefined && kept["CODEX_HOME"] !== "") kept["CODEX_HOME"] = codexHome;
  // Under Electron, execPath is the application: this makes it behave as Node.
  if ("electron" in process.versions) kept["ELECTRON_RUN_AS_NODE"] = "1";
  return kept;
}

function reportReader(outcome: Deferred<StartReport>): (chunk: Buffer) => void {
  const splitter = new LineSplitter(
    {
      onLine: (line) => {
        try {
          outcome.resolve(JSON.parse(line.toString("utf8")) as StartReport);
        } catch (error) {
          outcome.reject(error);
        }
      },
      onOversizedLine: () => {},
    },
    MAX_REPORT_BYTES,
  );
  return (chunk) => splitter.push(chunk);
}

function endedWithoutWord(
  code: number | null,
  signal: string | null,
  logPath: string,
): BrokerError {
  const how = signal === null ? `exit code ${String(code)}` : `signal ${signal}`;
  const tail = tailOf(logPath);
  return new BrokerError("brokerStartFailed", `The broker ended before it listened (${how}).`, {
    details: { code, signal, log: logPath, tail },
  });
}

function tailOf(file: string): string {
  try {
    return readFileSync(file).subarray(-LOG_TAIL_BYTES).toString("utf8");
  } catch {
    return "";
  }
}

function tooSlow(epoch: number): BrokerError {
  return new BrokerError(
    "brokerUnavailable",
    `The broker of epoch ${epoch} did not listen in time.`,
    {
      details: { epoch },
    },
  );
}
