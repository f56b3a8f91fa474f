import { execFileSync } from "node:child_process";
import type { World } from "../support/world.ts";
import { CLI, privateEnvironment, Program } from "./program.ts";

const PROGRAM = "script";

/** Why there is no terminal to be had here, or undefined when there is. */
export const noTerminal: string | undefined = reasonAgainst();

/**
 * The command on a terminal of its own: util-linux `script` copies what is typed to it, and what it
 * prints, stderr included, to stdout.
 */
export function startOnTerminal(
  world: World,
  args: readonly string[],
  terminal: { readonly columns: number; readonly env?: NodeJS.ProcessEnv } = { columns: 80 },
): Program {
  const words = [process.execPath, CLI, ...args].map(quoted).join(" ");
  const command = `stty cols ${terminal.columns} rows 24; exec ${words}`;
  // Node takes all of these for a word on colours.
  const {
    NO_COLOR: _no,
    FORCE_COLOR: _force,
    TMUX: _tmux,
    CI: _ci,
    ...env
  } = privateEnvironment(world);
  return new Program(
    PROGRAM,
    ["--quiet", "--return", "--flush", "--command", command, "/dev/null"],
    { ...env, TERM: "xterm-256color", SHELL: "/bin/sh", PWD: world.workspace, ...terminal.env },
    world.workspace,
  );
}

export const CTRL_C = "\u0003";

function reasonAgainst(): string | undefined {
  try {
    const version = execFileSync(PROGRAM, ["--version"], { encoding: "utf8", stdio: "pipe" });
    return version.includes("util-linux") ? undefined : "`script` is not the one of util-linux";
  } catch {
    return "there is no `script`";
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
