import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Deadline } from "../../src/base/deadline.ts";
import { deferred } from "../../src/base/deferred.ts";
import type { World } from "../support/world.ts";

/** The command as it is installed. */
export const CLI: string = fileURLToPath(new URL("../../dist/cli.cjs", import.meta.url));

/** Generous: machines that run many suites at once are slow. */
const SHOWN_WITHIN_MS = 30_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Written to its stdin, which is then ended. Without it, stdin is empty. */
  readonly stdin?: string;
  /** Leaves its stdin open and silent. */
  readonly openStdin?: boolean;
}

/** A running command, with what it has printed so far. */
export class Program {
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ended>;
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  #changed = deferred<void>();

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd: string) {
    this.child = spawn(file, args, { env, cwd, stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdin.on("error", () => {});
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#notify();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#notify();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        this.#notify();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until it has printed something that matches. */
  async shows(pattern: RegExp, where: "stdout" | "stderr" = "stderr"): Promise<void> {
    const deadline = Deadline.after(SHOWN_WITHIN_MS);
    while (!pattern.test(this[where])) {
      const change = this.#changed.promise;
      await deadline.race(
        change,
        () => new Error(`${String(pattern)} is not in:\n${this.stdout}\n${this.stderr}`),
      );
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = deferred();
  }
}

/** Codex runs the user's shell profile once a thread; the one of whoever runs these tests is not ours. */
export function privateEnvironment(world: World): NodeJS.ProcessEnv {
  return { ...world.env, HOME: world.home.path };
}

export function startCli(
  world: World,
  args: readonly string[],
  options: StartOptions = {},
): Program {
  const cwd = options.cwd ?? world.workspace;
  const env = { ...privateEnvironment(world), PWD: cwd, ...options.env };
  const program = new Program(process.execPath, [CLI, ...args], env, cwd);
  if (options.openStdin !== true) program.child.stdin.end(options.stdin ?? "");
  return program;
}

/** Runs the command to its end. */
export async function cli(
  world: World,
  args: readonly string[],
  options: StartOptions = {},
): Promise<Ended> {
  return await startCli(world, args, options).ended;
}

/** The lines of a `--json` output. */
export function jsonLines(output: string): Array<Record<string, unknown>> {
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function lastJson(output: string): Record<string, unknown> {
  const last = jsonLines(output).at(-1);
  if (last === undefined) throw new Error("nothing was printed");
  return last;
}
