import { bindNative, type Koffi } from "./kernel/koffi.ts";
import {
  bindCreateProcess,
  CREATE_BREAKAWAY_FROM_JOB,
  CREATE_NEW_PROCESS_GROUP,
  type CreateProcessCalls,
  DETACHED_PROCESS,
  PIPE_BYTES,
  quoted,
} from "./kernel/win32-create-process.ts";
import { mayLeave } from "./own-job.ts";
import { bindJobs } from "./kernel/win32-job.ts";

export interface FreeStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Takes its stdout and stderr. */
  readonly logPath: string;
  /** All of its stdin. */
  readonly input: Buffer;
}

/** A process that is in none of our jobs. Nothing is announced of it: it must be looked at. */
export interface FreeProcess {
  readonly pid: number;
  /** What it has written on its descriptor 3 since the last look. */
  read(): Buffer;
  /** Undefined while it runs. */
  exitCode(): number | undefined;
  close(): void;
}

/**
 * Windows, in a job of a host that ends with the host: starts a program outside of it where the job
 * allows that, which Node's own `spawn` never asks for. Undefined where there is no such job, no
 * permission or no koffi.
 */
export function startOutsideJob(start: FreeStart): FreeProcess | undefined {
  if (process.platform !== "win32" || start.input.length > PIPE_BYTES) return undefined;
  if (bindNative(leaveable) !== true) return undefined;
  return startFree(start);
}

function leaveable(koffi: Koffi): boolean {
  return mayLeave(bindJobs(koffi).limitsOfOwnJob());
}

export function startFree(start: FreeStart): FreeProcess | undefined {
  const calls = bindNative(bindCreateProcess);
  return calls === undefined ? undefined : startThrough(calls, start);
}

function startThrough(calls: CreateProcessCalls, start: FreeStart): FreeProcess | undefined {
  const stdin = calls.pipe("read");
  const report = calls.pipe("write");
  const log = calls.appendTo(start.logPath);
  const given = [stdin?.read, log, log, report?.write];
  const created = given.every((handle) => handle !== undefined)
    ? calls.create({
        program: start.program,
        commandLine: [start.program, ...start.args].map(quoted).join(" "),
        cwd: start.cwd,
        env: start.env,
        flags: DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_BREAKAWAY_FROM_JOB,
        handles: given,
      })
    : undefined;
  if (created !== undefined && stdin !== undefined) calls.write(stdin.write, start.input);
  // What it has inherited is its own now, and its input ends here.
  for (const handle of [...new Set(given), stdin?.write]) {
    if (handle !== undefined) calls.close(handle);
  }
  if (report === undefined) return undefined;
  if (created === undefined) {
    calls.close(report.read);
    return undefined;
  }
  const { pid, handle } = created;
  return {
    pid,
    read: () => calls.readAvailable(report.read),
    exitCode: () => calls.exitCodeOf(handle),
    close() {
      calls.close(report.read);
      calls.close(handle);
    },
  };
}
