import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { INSTANCE_VARIABLE } from "../../src/os/process-mark.ts";
import { readStat, type ProcStat } from "../../src/os/proc-stat.ts";
import type { ClientProcess } from "./client-process.ts";

/**
 * Innocent processes that could be taken for ours: one with the arguments of the broker, started by the
 * same client, and one with those of the app-server. Whoever ends by a name, or a parent, ends them.
 */
export class Bystanders {
  readonly #placed: ProcStat[] = [];
  readonly #leave: Array<() => void> = [];

  get pids(): number[] {
    return this.#placed.map(({ pid }) => pid);
  }

  /** @param home where the double of the app-server may live, so that it is in nobody's way. */
  async placeBeside(
    client: ClientProcess,
    broker: number,
    appServer: number,
    home: string,
  ): Promise<void> {
    const [, ...args] = argumentsOf(broker);
    const settled = await client.ask({ do: "bystander", args }).settled;
    if (settled.kind !== "answered") throw new Error(`no bystander: ${JSON.stringify(settled)}`);
    this.#note(Number(settled.text));
    const [command, ...rest] = argumentsOf(appServer);
    const double = spawn(command!, rest, {
      stdio: ["pipe", "ignore", "ignore"],
      env: {
        ...environmentOf(appServer),
        CODEX_HOME: home,
        FAKE_APP_SERVER_PLAN: undefined,
        // Only what the app-server itself has started inherits its mark.
        [INSTANCE_VARIABLE]: undefined,
      },
      cwd: "/",
      detached: true,
    });
    double.stdin.on("error", () => {});
    this.#leave.push(() => double.stdin.destroy());
    this.#note(double.pid ?? 0);
  }

  /** How many have been ended by somebody. */
  get ended(): number {
    return this.#placed.filter((each) => !stillRuns(each)).length;
  }

  end(): void {
    for (const each of this.#placed) if (stillRuns(each)) process.kill(each.pid, "SIGKILL");
    for (const leave of this.#leave) leave();
  }

  #note(pid: number): void {
    const stat = readStat(pid);
    if (stat === undefined) throw new Error(`the bystander ${pid} did not start`);
    this.#placed.push(stat);
  }
}

function argumentsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
}

function environmentOf(pid: number): NodeJS.ProcessEnv {
  const lines = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").slice(0, -1);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

/** Whether the very same process runs; a zombie does not. */
function stillRuns({ pid, startTicks }: ProcStat): boolean {
  const now = readStat(pid);
  return now?.startTicks === startTicks && now.state !== "Z" && now.state !== "X";
}
