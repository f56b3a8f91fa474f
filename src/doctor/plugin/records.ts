import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { workspaceOf } from "../../lifecycle/scope.ts";
import { isRecord } from "../../wire/messages.ts";
import type { PluginBroker } from "./plugin-broker.ts";
import { recordVariablesOf } from "./processes.ts";

/** A record of a few hundred bytes; whatever is larger is something else. */
const MAX_RECORD_BYTES = 64 * 1024;

/** The plugin's `broker.json`, as far as it makes sense. A hint, and never more than that. */
export interface PluginRecord {
  readonly path: string;
  readonly pid: number | null;
  readonly socket: string | null;
}

/**
 * The records of one workspace, below every directory in which the plugin may have put them: what it
 * takes depends on the environment that its host gave it at the time.
 */
export function pluginRecords(workspace: string, env: NodeJS.ProcessEnv): PluginRecord[] {
  const ending = `-${createHash("sha256").update(workspace).digest("hex").slice(0, 16)}`;
  return stateRoots(env)
    .flatMap((root) => namesIn(root).map((name) => path.join(root, name)))
    .filter((directory) => directory.endsWith(ending))
    .flatMap((directory) => readRecord(path.join(directory, "broker.json")) ?? []);
}

/** The record that leads to this broker; undefined when none does. */
export function recordOf({ identity, socket, cwd }: PluginBroker): string | undefined {
  if (cwd === null) return undefined;
  const env = { ...process.env, ...recordVariablesOf(identity.pid) };
  return pluginRecords(workspaceAt(cwd), env).find(
    (record) => record.pid === identity.pid && record.socket === socket,
  )?.path;
}

/** One that has been removed is known by the path that it had. */
export function workspaceAt(cwd: string): string {
  try {
    return workspaceOf(cwd);
  } catch {
    return cwd;
  }
}

function stateRoots(env: NodeJS.ProcessEnv): string[] {
  const given = env["CLAUDE_PLUGIN_DATA"];
  const host = env["CLAUDE_CONFIG_DIR"] ?? path.join(env["HOME"] ?? "/", ".claude");
  const plugins = path.join(host, "plugins", "data");
  const data = [
    ...(given === undefined || given === "" ? [] : [given]),
    // Hosts have been seen to give it the directory of another plugin.
    ...namesIn(plugins).map((name) => path.join(plugins, name)),
  ];
  const temporary = path.join(env["TMPDIR"] ?? "/tmp", "codex-companion");
  return [...new Set([...data.map((directory) => path.join(directory, "state")), temporary])];
}

/** Undefined when there is none, or it is not of this user. */
export function readRecord(file: string): PluginRecord | undefined {
  try {
    const stats = lstatSync(file);
    if (!stats.isFile() || stats.uid !== (process.geteuid?.() ?? stats.uid)) return undefined;
    if (stats.size > MAX_RECORD_BYTES) return undefined;
    const json: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (!isRecord(json)) return undefined;
    const { pid, endpoint } = json;
    return {
      path: file,
      pid: typeof pid === "number" && Number.isInteger(pid) && pid > 0 ? pid : null,
      socket:
        typeof endpoint === "string" && endpoint.startsWith("unix:")
          ? endpoint.slice("unix:".length)
          : null,
    };
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
