import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { realCodex } from "../support/real-codex.ts";
import type { World } from "../support/world.ts";
import { Program, type Ended } from "../cli/program.ts";

/** The plugin's folder in this tree, with the programs that the build has put into it. */
export const PLUGIN: string = fileURLToPath(new URL("../../plugin", import.meta.url));

export const COMMANDS = [
  "adversarial-review",
  "cancel",
  "rescue",
  "result",
  "review",
  "setup",
  "status",
  "transfer",
] as const;
export type CommandName = (typeof COMMANDS)[number];

export const HOOKS = ["SessionStart", "SessionEnd", "Stop"] as const;
export type HookName = (typeof HOOKS)[number];

export interface HookLine {
  readonly type: string;
  readonly command: string;
  /** Seconds. */
  readonly timeout: number;
}

/** The only hook of an event. */
export function hookLine(root: string, event: HookName): HookLine {
  const text = readFileSync(join(root, "hooks/hooks.json"), "utf8");
  const { hooks } = JSON.parse(text) as {
    hooks: Record<HookName, Array<{ hooks: HookLine[] }>>;
  };
  const line = hooks[event][0]?.hooks[0];
  if (line === undefined) throw new Error(`there is no hook for ${event}`);
  return line;
}

/**
 * The plugin as a host has it that has installed it: copied to a place of its own, on a machine that
 * has Node and codex, git to review something, and nothing else.
 */
export class Installed {
  readonly root: string;
  readonly #world: World;
  readonly #env: NodeJS.ProcessEnv;

  constructor(world: World, more: NodeJS.ProcessEnv = {}) {
    this.#world = world;
    const machine = join(world.stateDir, "..", "machine");
    this.root = join(machine, "plugins/cache/codex-broker");
    cpSync(PLUGIN, this.root, { recursive: true });
    const bin = join(machine, "bin");
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "node"));
    symlinkSync(realCodex().native, join(bin, "codex"));
    symlinkSync(
      execFileSync("/bin/sh", ["-c", "command -v git"]).toString().trim(),
      join(bin, "git"),
    );
    this.#env = { ...world.env, HOME: world.home.path, PATH: bin, CODEX_BROKER_CODEX: "", ...more };
  }

  /** The same in another session of the host. */
  in(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    return { ...this.#env, ...env };
  }

  /** What the host runs before the agent sees the command, with what the user has typed in its place. */
  blocks(command: CommandName, typed: string): string[] {
    return [...this.#page(command, typed).matchAll(/```!\n(.*?)\n?```/gs)].map(([, line]) => line!);
  }

  /** What the agent is told to run. */
  agentLines(page: string): string[] {
    const text = readFileSync(join(this.root, page), "utf8");
    return [...this.#substituted(text).matchAll(/```bash\n(.*?)\n?```/gs)].map(([, line]) => line!);
  }

  /** Runs a line as the host's shell does. */
  shell(line: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const program = new Program("/bin/bash", ["-c", line], this.in(env), this.#world.workspace);
    program.child.stdin.end();
    return program.ended;
  }

  /** A slash command as the user types it: the output of the line that the agent runs for it. */
  async slash(command: CommandName, typed = "", env: NodeJS.ProcessEnv = {}): Promise<string> {
    return await this.handOver(`commands/${command}.md`, typed, env);
  }

  /** Runs the line of a page that takes a text, as the agent is told to: with a new delimiter. */
  async handOver(page: string, typed: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const delimiter = await this.delimiter(page, env);
    const line = this.agentLines(page).find((one) => one.includes("DELIMITER"));
    if (line === undefined) throw new Error(`${page} takes no text`);
    const text = typed === "" ? "\n" : `\n${typed}\n`;
    const { code, stdout, stderr } = await this.shell(
      line.replaceAll("DELIMITER", delimiter).replace(/\n(TEXT|TASK)\n/, () => text),
      env,
    );
    if (code !== 0) throw new Error(`${page} ended with ${String(code)}: ${stderr}`);
    return stdout;
  }

  /** Runs the line that prints it: the host does so for a command, the agent for a task of its own. */
  async delimiter(page: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const text = this.#substituted(readFileSync(join(this.root, page), "utf8"));
    const [, line = ""] = /```(?:!|bash)\n([^\n]* slash delimiter)\n```/.exec(text) ?? [];
    return (await this.shell(line, env)).stdout.trim();
  }

  /** A hook, as the host starts it. What it reads is the caller's. */
  hook(
    event: HookName,
    change: { readonly within?: number; readonly env?: NodeJS.ProcessEnv } = {},
  ): Program {
    const { command } = hookLine(this.root, event);
    const line = this.#substituted(command);
    const bounded =
      change.within === undefined
        ? line
        : line.replace(/--within [\d.]+/, `--within ${change.within}`);
    const env = this.in({ CLAUDE_PLUGIN_ROOT: this.root, ...change.env });
    return new Program("/bin/sh", ["-c", bounded], env, this.#world.workspace);
  }

  #page(command: CommandName, typed: string): string {
    const text = readFileSync(join(this.root, "commands", `${command}.md`), "utf8");
    return this.#substituted(text).replaceAll("$ARGUMENTS", () => typed);
  }

  #substituted(text: string): string {
    return text.replaceAll("${CLAUDE_PLUGIN_ROOT}", () => this.root);
  }
}

/** The id of a job that has begun. */
export function jobIn(output: string): string {
  const id = /job (\w{8}) has begun/.exec(output)?.[1];
  if (id === undefined) throw new Error(`no job has begun: ${output}`);
  return id;
}
