import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";

/** What a running app-server may have read before it was changed, as hashes; nothing secret is kept. */
export interface CodexSettings {
  /** Of the whole `config.toml`. */
  readonly config: string;
  /** Of who is logged in. Tokens are renewed all the time and say nothing. */
  readonly login: string;
}

/** Equal to nothing: of a file that could not be read, nothing can be said. */
const UNREAD = "unread";

/** Of files that could not be read in time. */
export const UNREAD_SETTINGS: CodexSettings = { config: UNREAD, login: UNREAD };

export function settingsFiles(codexHome: string): readonly [config: string, auth: string] {
  return [path.join(codexHome, "config.toml"), path.join(codexHome, "auth.json")];
}

export function readCodexSettings(codexHome: string): CodexSettings {
  const [config, auth] = settingsFiles(codexHome).map(readText);
  return settingsIn(config, auth);
}

/** The same without blocking: the directory may be on a remote disk. */
export async function loadCodexSettings(codexHome: string): Promise<CodexSettings> {
  const [config, auth] = settingsFiles(codexHome);
  return settingsIn(await loadText(config), await loadText(auth));
}

function settingsIn(config: string | undefined, auth: string | undefined): CodexSettings {
  return {
    config: config === undefined ? UNREAD : hashOf(config),
    login: auth === undefined ? UNREAD : hashOf(loginIn(auth)),
  };
}

/** What has changed, in words; undefined when nothing has. */
export function changeOf(before: CodexSettings, now: CodexSettings): string | undefined {
  if (differ(before.login, now.login)) {
    return "another account is logged in since the broker started";
  }
  if (differ(before.config, now.config)) return "config.toml has changed since the broker started";
  return undefined;
}

function differ(before: string, now: string): boolean {
  return before !== now && before !== UNREAD && now !== UNREAD;
}

/** The account, or the API key, that stands in `auth.json`. */
function loginIn(text: string): string {
  try {
    const auth = JSON.parse(text) as {
      tokens?: { account_id?: unknown } | null;
      OPENAI_API_KEY?: unknown;
    } | null;
    return JSON.stringify([auth?.tokens?.account_id ?? null, auth?.OPENAI_API_KEY ?? null]);
  } catch {
    return "";
  }
}

/** Empty where there is no such file; undefined where it cannot be read, as without descriptors left. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return insteadOfText(error);
  }
}

async function loadText(file: string): Promise<string | undefined> {
  return await readFile(file, "utf8").catch(insteadOfText);
}

function insteadOfText(error: unknown): "" | undefined {
  return errnoOf(error) === "ENOENT" ? "" : undefined;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
