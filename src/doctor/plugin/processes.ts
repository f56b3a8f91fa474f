import { readFileSync, readlinkSync, statSync } from "node:fs";
import path from "node:path";
import { identityOf, type ProcessIdentity } from "../../os/process-identity.ts";
import { listProcesses } from "../../os/process-tree.ts";
import type { PluginBroker } from "./plugin-broker.ts";

const SCRIPT = "app-server-broker.mjs";

/** Processes of this user whose command line is that of the published plugin's broker. */
export function pluginProcesses(): PluginBroker[] {
  return (listProcesses() ?? []).flatMap(({ pid }) => pluginBrokerOf(pid) ?? []);
}

/** Undefined when the process is none, or has ended. */
export function pluginBrokerOf(pid: number): PluginBroker | undefined {
  // First of all: whatever is read after it is of this process, or of none that is signalled.
  const identity = identityOf(pid);
  const argv = argvOf(pid);
  if (identity.startTime === null || argv === undefined || !isOurs(pid)) return undefined;
  const options = optionsIn(argv);
  return options === undefined ? undefined : { identity, ...options };
}

/** As the plugin starts it: node, the script, `serve`, and then pairs. */
export function optionsIn(argv: readonly string[]): Omit<PluginBroker, "identity"> | undefined {
  const [, script, verb, ...rest] = argv;
  const isScript = script !== undefined && path.basename(script) === SCRIPT;
  if (!isScript || verb !== "serve") return undefined;
  const given = new Map<string, string>();
  for (let at = 0; at + 1 < rest.length; at += 2) given.set(rest[at] ?? "", rest[at + 1] ?? "");
  const endpoint = given.get("--endpoint") ?? "";
  const pidFile = given.get("--pid-file") ?? "";
  const socket = endpoint.slice("unix:".length);
  if (!endpoint.startsWith("unix:") || !path.isAbsolute(socket) || !path.isAbsolute(pidFile)) {
    return undefined;
  }
  return { script, socket, pidFile, cwd: given.get("--cwd") ?? null };
}

function argvOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return undefined;
  }
}

function isOurs(pid: number): boolean {
  try {
    return statSync(`/proc/${pid}`).uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/** What its environment says of where the plugin keeps its records; nothing else of it is kept. */
export function recordVariablesOf(pid: number): NodeJS.ProcessEnv {
  const kept: NodeJS.ProcessEnv = {};
  try {
    for (const entry of readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")) {
      const [, name, value] = /^(CLAUDE_PLUGIN_DATA|TMPDIR)=(.*)$/s.exec(entry) ?? [];
      if (name !== undefined) kept[name] = value;
    }
  } catch {
    // It has ended, or does not let us look.
  }
  return kept;
}

/** Linux counts the start in hundredths of a second since boot, whatever the kernel's own clock does. */
const TICK_MS = 10;

export function ageOf({ startTime }: ProcessIdentity): number {
  try {
    const uptimeMs = Number.parseFloat(readFileSync("/proc/uptime", "utf8")) * 1_000;
    return Math.max(0, uptimeMs - Number(startTime) * TICK_MS);
  } catch {
    return 0;
  }
}

/** Where it writes its log: what its standard output is. */
export function logOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/1`);
  } catch {
    return undefined;
  }
}
