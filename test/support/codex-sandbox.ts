import { spawnSync } from "node:child_process";
import { makeTempDir } from "./temp-dir.ts";
import { realCodex } from "./real-codex.ts";

/**
 * What stands before a program to run it in Codex's own sandbox, which forbids every connection, as a
 * host's does. With the bubblewrap that Codex brings, whatever is on the PATH: the system's does not
 * find its helper when Codex's home is a temporary one.
 */
export function inCodexSandbox(mode?: "workspace-write"): [string, ...string[]] {
  const settings = mode === undefined ? [] : ["-c", `sandbox_mode="${mode}"`];
  return ["/usr/bin/env", "PATH=/var/empty", realCodex().native, "sandbox", ...settings, "--"];
}

/** Why there is no such sandbox here, tried with a home like those of the tests. */
export async function noCodexSandbox(): Promise<string | undefined> {
  await using home = await makeTempDir();
  const [command, ...args] = [...inCodexSandbox(), process.execPath, "--version"] as const;
  const { status } = spawnSync(command, args, {
    env: { ...process.env, CODEX_HOME: home.path },
    stdio: "ignore",
  });
  return status === 0 ? undefined : "Codex's sandbox does not work on this machine";
}
