import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { listProcesses } from "../../src/os/process-tree.ts";

/** Whether this system says what a process uses, finely enough. */
export const CAN_MEASURE = process.platform === "linux";

/** Processor time of all threads that still run, in milliseconds. */
export function cpuMs(pid: number): number {
  return sumOverThreads(pid, "schedstat", (text) => Number(text.split(" ")[0]) / 1e6);
}

/** How often a thread has gone to sleep of itself, and so will have to be woken up. */
export function sleeps(pid: number): number {
  return sumOverThreads(pid, "status", (text) => numberIn(text, "voluntary_ctxt_switches"));
}

/** What it has in memory, files that others have mapped too included. */
export function residentBytes(pid: number): number {
  return numberIn(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS") * 1_024;
}

/** Of what it has in memory, what is no file: nobody shares it. */
export function privateBytes(pid: number): number {
  return numberIn(readFileSync(`/proc/${pid}/status`, "utf8"), "RssAnon") * 1_024;
}

/** The most it ever had in memory. */
export function peakBytes(pid: number): number {
  return numberIn(readFileSync(`/proc/${pid}/status`, "utf8"), "VmHWM") * 1_024;
}

/** The share of memory that it costs: what several have mapped is divided among them. */
export function proportionalBytes(pid: number): number {
  return numberIn(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss") * 1_024;
}

/** The processes and all that they have started. */
export function withDescendants(pids: readonly number[]): number[] {
  const found = new Set(pids);
  const all = listProcesses() ?? [];
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, ppid } of all) if (found.has(ppid)) found.add(pid);
  }
  return [...found];
}

/** Milliseconds for a whole process, from before its start until it has ended. */
export async function wholeProcess(
  command: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string },
): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(command, args, { ...options, stdio: ["ignore", "ignore", "inherit"] });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0) throw new Error(`${args.join(" ")} ended with code ${String(code)}`);
  return performance.now() - startedAt;
}

function sumOverThreads(pid: number, file: string, read: (text: string) => number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += read(readFileSync(`/proc/${pid}/task/${thread}/${file}`, "utf8"));
    } catch {
      // The thread has just ended.
    }
  }
  return sum;
}

function numberIn(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
}
