import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { makeTempDir } from "./temp-dir.ts";
import { UNDER_WINE } from "./wine.ts";

/** What the `config.toml` of a private home says. */
export interface CodexHomeOptions {
  /** Base address of the Responses endpoint, with its `/v1`. */
  readonly modelUrl: string;
  /**
   * When codex asks before it runs a command. `never` unless given. It asks only if there is a sandbox to leave, so
   * `on-request` wants another `sandboxMode` than the default.
   */
  readonly approvalPolicy?: "never" | "on-request";
  /**
   * What a command may touch. `danger-full-access` unless given, because the other modes need kernel features that a
   * container often withholds.
   */
  readonly sandboxMode?: "read-only" | "workspace-write" | "danger-full-access";
  /** Project directories that codex need not ask about. */
  readonly trusted?: readonly string[];
  /** Further keys of the top level, e.g. `{ thread_unload_delay_secs: 3 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Features to switch on. */
  readonly features?: readonly string[];
  /** Further tables, as TOML text, e.g. MCP servers. */
  readonly tables?: string;
}

/** A `CODEX_HOME` of its own: no login, no network but the given endpoint, nothing of the user's. */
export interface CodexHome extends AsyncDisposable {
  readonly path: string;
  /** The configuration file, for a test that breaks or mends it. */
  readonly configFile: string;
  /** Writes the configuration again; codex reads it at each `thread/start`. */
  configure(options: CodexHomeOptions): Promise<void>;
  /** Removes the directory; a second call does nothing. */
  remove(): Promise<void>;
}

/** Makes a private home and writes its configuration. */
export async function makeCodexHome(options: CodexHomeOptions): Promise<CodexHome> {
  const dir = await makeTempDir();
  const path = join(dir.path, "codex-home");
  const configFile = join(path, "config.toml");
  const configure = async (next: CodexHomeOptions): Promise<void> => {
    await writeFile(configFile, configToml(next), { mode: 0o600 });
  };
  await mkdir(path, { mode: 0o700 });
  // Written by itself, it trips over Wine's file locks: see `unlockFile` in wine.ts.
  if (UNDER_WINE) await writeFile(join(path, "installation_id"), randomUUID());
  await configure(options);
  return { path, configFile, configure, remove: dir.remove, [Symbol.asyncDispose]: dir.remove };
}

/** The text of a `config.toml` that needs no login and talks to nobody but the given endpoint. */
export function configToml(options: CodexHomeOptions): string {
  const settings = {
    model: "mock-model",
    model_provider: "mock",
    approval_policy: options.approvalPolicy ?? "never",
    sandbox_mode: options.sandboxMode ?? "danger-full-access",
    check_for_update_on_startup: false,
    web_search: "disabled",
    ...options.settings,
  };
  const lines = [
    ...Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
    "",
    "[features]",
    "# Otherwise each start asks a git host for the list of plugins.",
    "plugins = false",
    ...(options.features ?? []).map((name) => `${name} = true`),
    "",
    "[model_providers.mock]",
    'name = "mock"',
    `base_url = ${JSON.stringify(options.modelUrl)}`,
    'wire_api = "responses"',
    "requires_openai_auth = false",
    "request_max_retries = 0",
    "stream_max_retries = 0",
    "supports_websockets = false",
    "",
    "[analytics]",
    "enabled = false",
    "",
    "[feedback]",
    "enabled = false",
    "",
    "[otel]",
    'exporter = "none"',
    'trace_exporter = "none"',
    'metrics_exporter = "none"',
    ...(options.trusted ?? []).flatMap((dir) => [
      "",
      `[projects.${JSON.stringify(dir)}]`,
      'trust_level = "trusted"',
    ]),
    "",
    options.tables ?? "",
  ];
  return lines.join("\n");
}
