import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { errnoOf, messageOf } from "../../base/errors.ts";
import { workspaceOf } from "../../lifecycle/scope.ts";
import { stateDirectory } from "../../lifecycle/state-directory.ts";
import { publishOver, renameWithRetry } from "../../os/atomic-file.ts";
import { ensurePrivateDirectory } from "../../os/private-directory.ts";

/**
 * What a user has chosen for the work in one workspace. Found by the workspace alone: a hook and a
 * shell of one host may differ in everything else that names a broker.
 */
export interface WorkspaceSettings {
  /** Whether Codex looks at the work before the host's agent stops. */
  readonly reviewGate: boolean;
  /** What becomes of the jobs that a host's session has started when that session ends. */
  readonly jobsAtEnd: JobsAtEnd;
}

export const JOBS_AT_END = ["keep", "cancel"] as const;
export type JobsAtEnd = (typeof JOBS_AT_END)[number];

export interface SettingsReading {
  readonly settings: WorkspaceSettings;
  /** Why they are the defaults although there is a file. */
  readonly damage?: string;
}

const DEFAULTS: WorkspaceSettings = { reviewGate: false, jobsAtEnd: "keep" };

const schema = v.object({
  reviewGate: v.boolean(),
  jobsAtEnd: v.picklist(JOBS_AT_END),
});

/** @throws BrokerError `workspaceInvalid`. */
export function readSettings(cwd: string, env: NodeJS.ProcessEnv = process.env): SettingsReading {
  const file = settingsFile(cwd, env);
  try {
    return { settings: v.parse(schema, JSON.parse(readFileSync(file, "utf8"))) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { settings: DEFAULTS };
    return { settings: DEFAULTS, damage: `${file} cannot be read: ${messageOf(error)}` };
  }
}

/**
 * A file that cannot be read is put aside, never written over.
 *
 * @returns what holds from now on.
 * @throws BrokerError `workspaceInvalid`, `stateDirUnsafe` or `stateDirUnusable`.
 */
export function changeSettings(
  cwd: string,
  change: Partial<WorkspaceSettings>,
  env: NodeJS.ProcessEnv = process.env,
): WorkspaceSettings {
  const file = settingsFile(cwd, env);
  const before = readSettings(cwd, env);
  ensurePrivateDirectory(path.dirname(path.dirname(file)));
  ensurePrivateDirectory(path.dirname(file));
  if (before.damage !== undefined) renameWithRetry(file, `${file}.damaged-${Date.now()}`);
  const settings = { ...before.settings, ...change };
  publishOver(file, `${JSON.stringify({ workspace: workspaceOf(cwd), ...settings }, null, 2)}\n`);
  return settings;
}

/** How the files in there are called, those that were put aside among them. */
export const SETTINGS_FILE = /^[0-9a-f]{32}\.json(?:\.damaged-\d+)?$/;

export function settingsDirectory(stateDir: string): string {
  return path.join(stateDir, "workspaces");
}

function settingsFile(cwd: string, env: NodeJS.ProcessEnv): string {
  const name = createHash("sha256").update(workspaceOf(cwd)).digest("hex").slice(0, 32);
  return path.join(settingsDirectory(stateDirectory(env).path), `${name}.json`);
}
