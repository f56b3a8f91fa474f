import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";

/** What a running app-server may have read before it was changed, as hashes; nothing secret is kept. */
export interface CodexSettings {
  /** Of the whole `config.toml`. */
  readonly config: string;
  /** Of who is logged in. Tokens are renewed all the time and say nothing. */
  readonly login: string;
}

export function readCodexSettings(codexHome: string): CodexSettings {
  return {
    config: hashOf(readText(path.join(codexHome, "config.toml"))),
    login: hashOf(loginIn(readText(path.join(codexHome, "auth.json")))),
  };
}

/** What has changed, in words; undefined when nothing has. */
export function changeOf(before: CodexSettings, now: CodexSettings): string | undefined {
  if (before.login !== now.login) return "another account is logged in since the broker started";
  if (before.config !== now.config) return "config.toml has changed since the broker started";
  return undefined;
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

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
