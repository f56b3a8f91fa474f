import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";
import { configSettingsIn } from "./config-settings.ts";

/** What a running app-server may have read before it was changed. Nothing secret is kept. */
export interface CodexSettings {
  /** Hash of what `config.toml` says, without the notes that Codex keeps there. */
  readonly config: string;
  /** What `config.toml` says about the trust in the workspace. */
  readonly trust: string;
  /** Hash of who is logged in. Tokens are renewed all the time and do not count. */
  readonly login: string;
}

/** Of a file that cannot be read. */
const UNREAD = "unread";
/** Begins the hash of the bytes of a file that cannot be parsed. */
const UNPARSED = "unparsed ";

/** A file that cannot be read or parsed proves no change. */
export function isKnown(setting: string): boolean {
  return setting !== UNREAD && !setting.startsWith(UNPARSED);
}

export const UNREAD_SETTINGS: CodexSettings = { config: UNREAD, trust: UNREAD, login: UNREAD };

export function settingsFiles(codexHome: string): readonly [config: string, auth: string] {
  return [path.join(codexHome, "config.toml"), path.join(codexHome, "auth.json")];
}

export async function readCodexSettings(
  codexHome: string,
  workspace: string,
): Promise<CodexSettings> {
  const [config, auth] = settingsFiles(codexHome);
  return { ...configIn(await readText(config), workspace), login: loginIn(await readText(auth)) };
}

/** Returns what has changed, in words; undefined when nothing has. */
export function changeOf(before: CodexSettings, now: CodexSettings): string | undefined {
  if (differ(before.login, now.login)) {
    return "another account is logged in since the broker started";
  }
  if (differ(before.config, now.config)) return "config.toml has changed since the broker started";
  if (differ(before.trust, now.trust)) {
    return "the trust in the workspace has changed since the broker started";
  }
  return undefined;
}

/** Whether a file has lost its content since: another program may be about to write it anew. */
export function isEmptied(before: CodexSettings, now: CodexSettings): boolean {
  return (
    (differ(before.config, now.config) && now.config === NO_CONFIG) ||
    (differ(before.login, now.login) && now.login === NO_LOGIN)
  );
}

/** Whether a file has other content, also one that cannot be parsed. */
export function haveOtherContent(before: CodexSettings, now: CodexSettings): boolean {
  const keys = ["config", "trust", "login"] as const;
  return keys.some(
    (key) => before[key] !== now[key] && before[key] !== UNREAD && now[key] !== UNREAD,
  );
}

function differ(before: string, now: string): boolean {
  return before !== now && isKnown(before) && isKnown(now);
}

function configIn(text: string | undefined, workspace: string): Omit<CodexSettings, "login"> {
  if (text === undefined) return { config: UNREAD, trust: UNREAD };
  const settings = configSettingsIn(text, workspace);
  if (settings === undefined) return { config: UNPARSED + hashOf(text), trust: UNREAD };
  return { config: hashOf(settings.decisive), trust: settings.trust };
}

/** The account, or the API key, that stands in `auth.json`. */
function loginIn(text: string | undefined): string {
  if (text === undefined) return UNREAD;
  if (text === ABSENT) return NO_LOGIN;
  try {
    const auth = JSON.parse(text) as {
      tokens?: { account_id?: unknown } | null;
      OPENAI_API_KEY?: unknown;
    };
    return hashOfLogin(auth.tokens?.account_id ?? null, auth.OPENAI_API_KEY ?? null);
  } catch {
    return UNPARSED + hashOf(text);
  }
}

function hashOfLogin(account: unknown, key: unknown): string {
  return hashOf(JSON.stringify([account, key]));
}

/** Of a file that does not exist. No file has this content, because no editor writes it. */
const ABSENT = "\n";

/** @returns undefined when it cannot be read, for want of descriptors for example. */
async function readText(file: string): Promise<string | undefined> {
  return await readFile(file, "utf8").catch((error: unknown) =>
    errnoOf(error) === "ENOENT" ? ABSENT : undefined,
  );
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

const NO_CONFIG = configIn(ABSENT, "").config;
const NO_LOGIN = hashOfLogin(null, null);
