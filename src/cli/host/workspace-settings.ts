import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
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
  /** The directory of the file that each setting other than the default comes from. */
  readonly chosenIn: Readonly<Partial<Record<keyof WorkspaceSettings, string>>>;
  /** Why a file does not count. */
  readonly damage?: string;
}

const DEFAULTS: WorkspaceSettings = { reviewGate: false, jobsAtEnd: "keep" };

const schema = v.object({
  reviewGate: v.boolean(),
  jobsAtEnd: v.picklist(JOBS_AT_END),
});

/**
 * Returns the strictest settings of all workspaces around these directories. A repository inside a
 * workspace, such as a clone that an agent has made and entered, loosens nothing.
 */
export function readSettings(
  directories: string | readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): SettingsReading {
  const places = [directories].flat().flatMap(selfAndAbove);
  const readings = [...new Set(places)].map((place) => ({ place, ...readFile(place, env) }));
  const gate = readings.find(({ settings }) => settings.reviewGate)?.place;
  const cancelling = readings.find(({ settings }) => settings.jobsAtEnd === "cancel")?.place;
  const damage = readings.flatMap(({ damage }) => damage ?? []).join("; ");
  return {
    settings: {
      reviewGate: gate !== undefined,
      jobsAtEnd: cancelling === undefined ? "keep" : "cancel",
    },
    chosenIn: {
      ...(gate === undefined ? {} : { reviewGate: gate }),
      ...(cancelling === undefined ? {} : { jobsAtEnd: cancelling }),
    },
    ...(damage === "" ? {} : { damage }),
  };
}

/** Returns real paths, the deepest first. Of a directory that is gone, those above it count. */
function selfAndAbove(directory: string): string[] {
  const lexical = path.resolve(directory);
  try {
    return above(realpathSync.native(lexical));
  } catch {
    const parent = path.dirname(lexical);
    return parent === lexical ? [lexical] : selfAndAbove(parent);
  }
}

function above(directory: string): string[] {
  const parent = path.dirname(directory);
  return parent === directory ? [directory] : [directory, ...above(parent)];
}

/** Reads the file of exactly this workspace. */
function readFile(
  workspace: string,
  env: NodeJS.ProcessEnv,
): Pick<SettingsReading, "settings" | "damage"> {
  const file = settingsFile(workspace, env);
  try {
    return { settings: v.parse(schema, JSON.parse(readFileSync(file, "utf8"))) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { settings: DEFAULTS };
    return { settings: DEFAULTS, damage: `${file} cannot be read: ${messageOf(error)}` };
  }
}

/**
 * Changes what is chosen for the workspace of this directory. A file that cannot be read is put aside,
 * never written over. What then counts may still be stricter: see `readSettings`.
 *
 * @throws BrokerError `workspaceInvalid`, `stateDirUnsafe` or `stateDirUnusable`.
 */
export function changeSettings(
  cwd: string,
  change: Partial<WorkspaceSettings>,
  env: NodeJS.ProcessEnv = process.env,
): void {
  const workspace = workspaceOf(cwd);
  const file = settingsFile(workspace, env);
  const before = readFile(workspace, env);
  ensurePrivateDirectory(path.dirname(path.dirname(file)));
  ensurePrivateDirectory(path.dirname(file));
  if (before.damage !== undefined) renameWithRetry(file, `${file}.damaged-${Date.now()}`);
  const settings = { ...before.settings, ...change };
  publishOver(file, `${JSON.stringify({ workspace, ...settings }, null, 2)}\n`);
}

/** How the files in there are called, those that were put aside among them. */
export const SETTINGS_FILE = /^[0-9a-f]{32}\.json(?:\.damaged-\d+)?$/;

export function settingsDirectory(stateDir: string): string {
  return path.join(stateDir, "workspaces");
}

function settingsFile(workspace: string, env: NodeJS.ProcessEnv): string {
  const name = createHash("sha256").update(workspace).digest("hex").slice(0, 32);
  return path.join(settingsDirectory(stateDirectory(env).path), `${name}.json`);
}
