import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface ResidentMemory {
  readonly bytes: number;
  /** Of these, what the process has for itself alone; the rest is files, above all its own program. */
  readonly ownBytes: number | undefined;
}

/** Undefined where the system does not tell. */
export async function residentMemory(pid: number): Promise<ResidentMemory | undefined> {
  if (process.platform === "win32") return undefined;
  return process.platform === "linux" ? await fromProc(pid) : await fromPs(pid);
}

async function fromProc(pid: number): Promise<ResidentMemory | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const field = (name: string): number | undefined => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
  };
  const bytes = field("VmRSS");
  return bytes === undefined ? undefined : { bytes, ownBytes: field("RssAnon") };
}

async function fromPs(pid: number): Promise<ResidentMemory | undefined> {
  const { stdout } = await promisify(execFile)("ps", ["-o", "rss=", "-p", String(pid)]).catch(
    () => ({ stdout: "" }),
  );
  const kilobytes = Number.parseInt(stdout, 10);
  return Number.isNaN(kilobytes) ? undefined : { bytes: kilobytes * 1_024, ownBytes: undefined };
}
