import { isDeepStrictEqual } from "node:util";
import type { v2 } from "../app-server/generated/index.ts";
import { isRecord } from "../wire/messages.ts";

type Members = Readonly<Record<string, unknown>>;

/**
 * The settings of a thread, as far as this client knows them. Codex itself records most of them, but not
 * all, and a resume that sets some makes Codex ignore what it has recorded of others. So whoever
 * resumes a thread for a successor sends all of them.
 */
export interface ThreadSettings {
  /** What the thread was opened with and only a resume can set again. */
  readonly opening: Members;
  /** What a turn can change, under the names of `thread/settings/update`. */
  readonly inForce: Members;
}

export const NO_SETTINGS: ThreadSettings = { opening: {}, inForce: {} };

/** Parameters that only the opening of a thread takes. */
const OPENING = [
  "config",
  "baseInstructions",
  "developerInstructions",
  "runtimeWorkspaceRoots",
] as const;

/** Parameters that hold for the turns that follow too. */
const STICKY = [
  "model",
  "modelProvider",
  "serviceTier",
  "cwd",
  "approvalPolicy",
  "approvalsReviewer",
  "sandbox",
  "sandboxPolicy",
  "permissions",
  "effort",
  "summary",
  "personality",
  "environments",
  "collaborationMode",
  "disabledPluginIds",
] as const;

/** Each of them replaces the others. */
const SANDBOXING = ["sandbox", "sandboxPolicy", "permissions"] as const;

const MODES: Readonly<Record<string, v2.SandboxMode>> = {
  dangerFullAccess: "danger-full-access",
  readOnly: "read-only",
  workspaceWrite: "workspace-write",
};

/** Adds the parameters of a request that opens the thread or changes its settings. */
export function withParameters(before: ThreadSettings, params: unknown): ThreadSettings {
  const given = isRecord(params) ? params : {};
  const opening = { ...before.opening, ...pick(given, OPENING) };
  const config = merged(before.opening["config"], opening["config"]);
  return {
    opening: config === undefined ? opening : { ...opening, config },
    inForce: changed(before.inForce, pick(given, STICKY)),
  };
}

/** Adds what the response to `thread/start`, `thread/resume` or `thread/fork` says. */
export function withResponse(before: ThreadSettings, response: unknown): ThreadSettings {
  const seen = isRecord(response) ? response : {};
  const { sandbox, activePermissionProfile, reasoningEffort } = seen;
  return withReport(before, {
    ...pick(seen, STICKY),
    ...(isRecord(sandbox) ? { sandbox: undefined, sandboxPolicy: sandbox } : {}),
    activePermissionProfile,
    effort: reasoningEffort,
  });
}

/** Adds what `thread/settings/updated` says. */
export function withReport(before: ThreadSettings, reported: unknown): ThreadSettings {
  if (!isRecord(reported)) return before;
  const { activePermissionProfile: profile } = reported;
  // Null is not "unchanged" here: the setting is not set any more.
  const kept = Object.entries(before.inForce).filter(([name]) => reported[name] !== null);
  const inForce = changed(Object.fromEntries(kept), pick(reported, STICKY));
  return isRecord(profile)
    ? { ...before, inForce: changed(inForce, { permissions: profile["id"] }) }
    : { ...before, inForce };
}

/** Returns what `thread/resume` needs so that the thread goes on as it was. */
export function resumeParameters({ opening, inForce }: ThreadSettings): Members {
  const { effort, sandbox, sandboxPolicy, permissions, personality, ...rest } = inForce;
  const mode = isRecord(sandboxPolicy) ? MODES[String(sandboxPolicy["type"])] : sandbox;
  const config = effort === undefined ? opening["config"] : withEffort(opening["config"], effort);
  return {
    ...opening,
    ...pick(rest, ["model", "modelProvider", "serviceTier", "cwd"]),
    ...pick(rest, ["approvalPolicy", "approvalsReviewer"]),
    ...(personality === undefined ? {} : { personality }),
    ...(permissions === undefined ? pick({ sandbox: mode }, ["sandbox"]) : { permissions }),
    ...(config === undefined ? {} : { config }),
  };
}

/**
 * Returns what is still to be set by `thread/settings/update` after a resume: what the response shows to
 * be different, and what neither the parameters nor the response of a resume can hold.
 */
export function repairs(wanted: ThreadSettings, response: unknown): Members | undefined {
  const { inForce } = wanted;
  const seen = withResponse(NO_SETTINGS, response).inForce;
  const differs = (name: string): boolean =>
    inForce[name] !== undefined && !isDeepStrictEqual(inForce[name], seen[name]);
  const { collaborationMode: mode } = inForce;
  const special = isRecord(mode) && mode["mode"] !== "default";
  const plain = ["cwd", "serviceTier", "approvalPolicy", "approvalsReviewer", "disabledPluginIds"];
  const names = [
    ...plain.filter(differs),
    ...["summary", "personality"].filter((name) => inForce[name] !== undefined),
    ...(special ? ["collaborationMode"] : ["model", "effort"]).filter(differs),
    ...(hasOwnEnvironments(inForce) ? ["environments"] : []),
  ];
  const update = { ...pick(inForce, names), ...sandboxRepair(inForce, seen) };
  return Object.keys(update).length === 0 ? undefined : update;
}

function sandboxRepair(inForce: Members, seen: Members): Members {
  const { permissions, sandboxPolicy, sandbox } = inForce;
  if (permissions !== undefined) {
    return permissions === seen["permissions"] ? {} : { permissions };
  }
  if (isRecord(sandboxPolicy)) {
    const same = isDeepStrictEqual(sandboxPolicy, seen["sandboxPolicy"]);
    return same ? {} : { sandboxPolicy };
  }
  const policy = seen["sandboxPolicy"];
  if (sandbox === undefined || (isRecord(policy) && MODES[String(policy["type"])] === sandbox)) {
    return {};
  }
  const type = Object.keys(MODES).find((name) => MODES[name] === sandbox);
  return type === undefined ? {} : { sandboxPolicy: { type, ...POLICY_DEFAULTS[type] } };
}

const POLICY_DEFAULTS: Readonly<Record<string, Members>> = {
  readOnly: { networkAccess: false },
  workspaceWrite: {
    writableRoots: [],
    networkAccess: false,
    excludeTmpdirEnvVar: false,
    excludeSlashTmp: false,
  },
};

/** Whether they are not just the machine itself in the directory of the thread. */
function hasOwnEnvironments({ environments, cwd }: Members): boolean {
  if (!Array.isArray(environments)) return false;
  const [first, ...others] = environments as readonly unknown[];
  if (!isRecord(first) || others.length > 0) return true;
  return first["environmentId"] !== "local" || first["cwd"] !== cwd;
}

function changed(before: Members, change: Members): Members {
  const replaces = SANDBOXING.some((name) => change[name] !== undefined);
  const kept = Object.entries(before).filter(
    ([name]) => !(replaces && (SANDBOXING as readonly string[]).includes(name)),
  );
  return { ...Object.fromEntries(kept), ...change };
}

function withEffort(config: unknown, effort: unknown): Members {
  const { ["model_reasoning_effort"]: _older, ...rest } = isRecord(config) ? config : {};
  return { ...rest, model_reasoning_effort: effort };
}

function merged(before: unknown, after: unknown): Members | undefined {
  if (!isRecord(before)) return isRecord(after) ? after : undefined;
  return isRecord(after) ? { ...before, ...after } : before;
}

/** The members of these names that say something: for Codex, null and absent are the same. */
function pick(from: Members, names: readonly string[]): Members {
  const said = names.filter((name) => from[name] !== undefined && from[name] !== null);
  return Object.fromEntries(said.map((name) => [name, from[name]]));
}
