import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Program } from "../cli/program.ts";

/** A container as far as processes and paths go: mount, pid and host name namespaces of its own. */
export interface Box extends AsyncDisposable {
  run(file: string, args: readonly string[], options: RunOptions): Program;
}

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

export interface BoxOptions {
  readonly hostname: string;
  /** Paths that lead to other files inside. */
  readonly mounts?: ReadonlyArray<readonly [source: string, target: string]>;
}

const NAMESPACES = ["--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"];
/** Without root, a user namespace in which this user is root. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ["--map-root-user"];

/** Why no box can be made here, or undefined where one can. */
export const noBox: string | undefined = reasonAgainst();

/** All processes inside end when the box is disposed of. */
export async function makeBox({ hostname, mounts = [] }: BoxOptions): Promise<Box> {
  const script = [
    "set -e",
    `hostname ${hostname}`,
    ...mounts.map((_, index) => `mount --bind "$${2 * index + 1}" "$${2 * index + 2}"`),
    "echo ready",
    "exec cat",
  ].join("\n");
  const inside = ["sh", "-c", script, "sh", ...mounts.flat()];
  const unshare = spawn("unshare", [...AS_ROOT, ...NAMESPACES, ...inside], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: unshare.stdout })) if (line === "ready") break;
  if (unshare.exitCode !== null) throw new Error("the box could not be made");
  const init = childOf(unshare);
  const user = AS_ROOT.length === 0 ? [] : ["--user", "--preserve-credentials"];
  const enter = ["--target", String(init), ...user, "--mount", "--pid", "--uts", "--"];
  return {
    run(file, args, { env, cwd }) {
      const there = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd, file, ...args];
      const program = new Program("nsenter", [...enter, ...there], env, "/");
      program.child.stdin.end();
      return program;
    },
    async [Symbol.asyncDispose]() {
      if (unshare.exitCode !== null || unshare.signalCode !== null) return;
      const exited = once(unshare, "exit");
      unshare.kill("SIGKILL");
      await exited;
    },
  };
}

function childOf({ pid = 0 }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return Number(children);
}

function reasonAgainst(): string | undefined {
  if (process.platform !== "linux") return "only Linux has mount namespaces";
  const tried = spawnSync("unshare", [...AS_ROOT, ...NAMESPACES, "hostname", "box"], {
    encoding: "utf8",
  });
  return tried.status === 0 ? undefined : `no namespaces can be made: ${tried.stderr}`;
}
