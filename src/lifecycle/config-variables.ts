import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { tomlStrings, type TomlString } from "../base/toml.ts";

/** `env_key`, `bearer_token_env_var`, `env_vars`, `env_http_headers`, `url_prefix_from_env` and their like. */
const NAMES_VARIABLES = /(?:^|_)env(?:_key|_vars?|_http_headers)$|_from_env$/;
const IS_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Cheaper than parsing, and true of few files. */
const MAY_NAME_ANY = /env_(?:key|var|http_headers)|_from_env|amazon-bedrock/;

/** Codex's provider for Amazon Bedrock reads them without being configured to. */
const FOR_BEDROCK = [
  "AWS_BEARER_TOKEN_BEDROCK",
  "AWS_PROFILE",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_ROLE_ARN",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/** Every MCP server gets them, so that naming them changes nothing. */
const ALWAYS_GIVEN = [
  "HOME",
  "LOGNAME",
  "PATH",
  "SHELL",
  "USER",
  "LANG",
  "LC_ALL",
  "TERM",
  "TMPDIR",
  "TZ",
];

/** Returns the names of the variables that a configuration file tells Codex to read. */
export function variablesNamedIn(toml: string): readonly string[] {
  if (!MAY_NAME_ANY.test(toml)) return [];
  return tomlStrings(toml)
    .flatMap((entry) => namesIn(entry))
    .filter((name) => IS_NAME.test(name) && !ALWAYS_GIVEN.includes(name));
}

/**
 * Returns the names of the variables that Codex's configuration for the workspace names: the user's files
 * and profiles, the project's and the system's. A file that cannot be read names none.
 */
export function configuredVariables(codexHome: string, workspace: string): ReadonlySet<string> {
  const files = [
    ...configFilesIn(codexHome),
    path.join(workspace, ".codex", "config.toml"),
    ...systemFiles(),
  ];
  return new Set(files.flatMap((file) => variablesNamedIn(readText(file))));
}

function namesIn({ keys, value }: TomlString): readonly string[] {
  const last = keys.at(-1);
  if (last === "model_provider" && value === "amazon-bedrock") return FOR_BEDROCK;
  const at = keys.findIndex((key) => NAMES_VARIABLES.test(key));
  if (at === -1) return [];
  // An entry of `env_vars` may be a table, of which only this member is a name.
  const isMember = at < keys.length - 1 && !keys[at]?.endsWith("_headers");
  return isMember && last !== "name" ? [] : [value];
}

/** `config.toml`, and one file for each profile. */
function configFilesIn(codexHome: string): readonly string[] {
  try {
    return readdirSync(codexHome)
      .filter((name) => /^(?:.+\.|managed_)?config\.toml$/.test(name))
      .map((name) => path.join(codexHome, name));
  } catch {
    return [];
  }
}

function systemFiles(): readonly string[] {
  if (process.platform === "win32") return [];
  return ["config", "managed_config", "requirements"].map((name) => `/etc/codex/${name}.toml`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
