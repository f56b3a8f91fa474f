/**
 * `key`: decides who shares a broker, and is passed on · `cleaned`: belongs to the starter, so neither the
 * broker nor its app-server gets it · `restored`: kept from the broker, given to its app-server ·
 * `passed`: the app-server has the starter's value.
 */
export type EnvironmentRule = "key" | "cleaned" | "restored" | "passed";

/** Where a rule holds only in one kind of starter, what shows that kind. */
export type Circumstance = "git" | "npm" | "codexProxy";

export interface EnvironmentRow {
  /** Exact names; one that ends with `*` is the beginning of names. The longest match counts. */
  readonly names: readonly string[];
  readonly rule: EnvironmentRule;
  readonly because: string;
  readonly only?: Circumstance;
}

/** A variable that is set only by the program in question. */
export const SIGNS: Readonly<Record<Circumstance, readonly string[]>> = {
  git: ["GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_EXEC_PATH", "GIT_REFLOG_ACTION"],
  npm: ["npm_lifecycle_event", "npm_execpath", "npm_command"],
  codexProxy: ["CODEX_NETWORK_PROXY_ACTIVE"],
};

const PROXIES = namesIn(`
      HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy
      no_proxy`);

/**
 * Every variable that has a rule of its own; all others are passed on. The names of Codex are checked
 * against its binary by `test/lifecycle/environment.codex.test.ts`.
 */
export const ENVIRONMENT_TABLE: readonly EnvironmentRow[] = [
  {
    names: PROXIES,
    rule: "key",
    because: "they decide how Codex reaches the network",
  },
  {
    names: PROXIES,
    rule: "cleaned",
    only: "codexProxy",
    because: "they lead to the proxy that Codex runs for one command",
  },
  {
    names: ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"],
    rule: "key",
    because: "they decide whom Codex trusts",
  },
  {
    names: namesIn(`
      OPENAI_API_KEY CODEX_API_KEY CODEX_ACCESS_TOKEN CODEX_CONNECTORS_TOKEN
      OPENAI_FEDERATION_RULE_ID OPENAI_IDENTITY_TOKEN_FILE
      OPENAI_WORKLOAD_IDENTITY_CONTEXT OPENAI_ORGANIZATION OPENAI_PROJECT
      CODEX_GUARDIAN_DECISIONS_API_KEY CODEX_EXEC_SERVER_NOISE_AUTH_TOKEN`),
    rule: "key",
    because: "they decide on whose account Codex works",
  },
  {
    names: namesIn(`
      OPENAI_BASE_URL CODEX_OSS_PORT CODEX_OSS_BASE_URL
      CODEX_APP_SERVER_CHATGPT_BASE_URL CODEX_APP_SERVER_LOGIN_CLIENT_ID
      CODEX_APP_SERVER_LOGIN_ISSUER CODEX_AUTHAPI_BASE_URL
      CODEX_AGENT_IDENTITY_AUTHAPI_BASE_URL CODEX_AGENT_IDENTITY_JWKS_BASE_URL
      CODEX_REFRESH_TOKEN_URL_OVERRIDE CODEX_REVOKE_TOKEN_URL_OVERRIDE
      CODEX_EXEC_SERVER_URL CODEX_EXEC_SERVER_NOISE_REGISTRY_URL
      CODEX_EXEC_SERVER_NOISE_ENVIRONMENT_ID CODEX_EXEC_SERVER_NOISE_CHATGPT_ACCOUNT_ID
      CODEX_EXEC_SERVER_PROXY_PRIVATE_IPS_VIA_UPSTREAM`),
    rule: "key",
    because: "they decide which services Codex uses",
  },
  {
    names: namesIn(`
      CODEX_HOME CODEX_SQLITE_HOME CODEX_ROLLOUT_TRACE_ROOT CODEX_MCP_PROTOCOL_VERSION
      CODEX_INTERNAL_APP_SERVER_REMOTE_CONTROL_DISABLED`),
    rule: "key",
    because: "they decide where Codex keeps its state and what it speaks",
  },
  {
    names: namesIn(`
      CODEX_TUI_* CODEX_INSTALL_* CODEX_NON_INTERACTIVE CODEX_RELEASE
      CODEX_UPDATE_FROM_RELEASE CODEX_CLOUD_TASKS_* CODEX_STARTING_DIFF
      CODEX_APPLY_GIT_CFG CODEX_EXEC_SERVER_EXIT_ON_STDIN_CLOSE
      CODEX_GITHUB_PERSONAL_ACCESS_TOKEN CODEX_DAEMON_TELEMETRY_HANDOFF`),
    rule: "passed",
    because: "Codex reads them in other commands than app-server",
  },
  {
    names: namesIn(`
      CODEX_THREAD_ID CODEX_SESSION_ID CODEX_TOOL_CALL_ID CODEX_CI CODEX_VERSION
      CODEX_PERMISSION_PROFILE CODEX_APPLY_PATCH_* CODEX_PLUGIN_METRICS_OUTPUT
      CODEX_SANDBOX* CODEX_NETWORK_* CODEX_SNAPSHOT_* CODEX_SHELL_SNAPSHOT_* __CODEX_*`),
    rule: "cleaned",
    because: "Codex sets them for one command",
  },
  {
    names: ["CODEX_MANAGED_*", "CODEX_INTERNAL_ORIGINATOR_OVERRIDE"],
    rule: "cleaned",
    because: "they describe the program that started the starter",
  },
  {
    names: ["CODEX_BROKER_*", "CODEX_COMPANION_*"],
    rule: "cleaned",
    because: "they are options of one call, permissions among them",
  },
  {
    names: ["CODEX_BROKER_STATE_DIR", "CODEX_BROKER_CODEX", "CODEX_COMPANION_BROKER_MAX_AGE_HOURS"],
    rule: "passed",
    because: "commands within Codex use the same brokers",
  },
  {
    names: namesIn(`
      CLAUDECODE CLAUDE_CODE_ENTRYPOINT CLAUDE_CODE_SSE_PORT CLAUDE_CODE_SESSION_ID
      CLAUDE_SESSION_ID CLAUDE_ENV_FILE CLAUDE_PROJECT_DIR CLAUDE_PLUGIN_* GEMINI_CLI
      CURSOR_AGENT CURSOR_TRACE_ID OPENCODE AI_AGENT`),
    rule: "cleaned",
    because: "they are marks of one session of a host",
  },
  {
    names: namesIn(`
      GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
      GIT_CONFIG_KEY_* GIT_CONFIG_VALUE_* GIT_OBJECT_DIRECTORY GIT_DIR GIT_WORK_TREE
      GIT_IMPLICIT_WORK_TREE GIT_GRAFT_FILE GIT_INDEX_FILE GIT_NO_REPLACE_OBJECTS
      GIT_REPLACE_REF_BASE GIT_PREFIX GIT_INTERNAL_SUPER_PREFIX GIT_SHALLOW_FILE
      GIT_COMMON_DIR GIT_NAMESPACE`),
    rule: "cleaned",
    because: "they name one repository (`git rev-parse --local-env-vars`)",
  },
  {
    names: ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"],
    rule: "cleaned",
    because: "they are about one commit",
  },
  {
    names: namesIn(`
      GIT_AUTHOR_* GIT_COMMITTER_* GIT_EDITOR GIT_EXEC_PATH GIT_REFLOG_ACTION
      GIT_CHERRY_PICK_HELP GIT_QUARANTINE_PATH GIT_PUSH_OPTION_* GITHEAD_*`),
    rule: "cleaned",
    only: "git",
    because: "git sets them for a hook, an alias or an `exec`",
  },
  {
    names: namesIn(`
      npm_* INIT_CWD NODE COLOR PNPM_SCRIPT_SRC_DIR`),
    rule: "cleaned",
    only: "npm",
    because: "npm sets them for a script of one package",
  },
  {
    names: namesIn(`
      MAKEFLAGS MFLAGS MAKELEVEL MAKE_TERMOUT MAKE_TERMERR CARGO_MAKEFLAGS LISTEN_FDS
      LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC INVOCATION_ID
      JOURNAL_STREAM MAINPID NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
      NODE_UNIQUE_ID NODE_V8_COVERAGE ELECTRON_RUN_AS_NODE ELECTRON_NO_ATTACH_CONSOLE
      VSCODE_*`),
    rule: "cleaned",
    because: "they connect one process with the program that started it",
  },
  {
    names: ["VSCODE_GIT_*"],
    rule: "passed",
    because: "like SSH_AUTH_SOCK, they lead to the user's credentials",
  },
  {
    names: namesIn(`
      TMUX TMUX_PANE STY WINDOW WINDOWID COLUMNS LINES GPG_TTY SSH_TTY SSH_CLIENT
      SSH_CONNECTION TERM_PROGRAM* TERM_SESSION_ID LC_TERMINAL* ITERM_* KITTY_*
      WEZTERM_* ALACRITTY_* GHOSTTY_* KONSOLE_* ZELLIJ* VTE_VERSION WT_SESSION
      WT_PROFILE_ID NVIM NVIM_LISTEN_ADDRESS VIM VIMRUNTIME INSIDE_EMACS`),
    rule: "cleaned",
    because: "they name one terminal, which a broker outlives",
  },
  {
    names: ["PWD", "OLDPWD", "SHLVL", "_"],
    rule: "cleaned",
    because: "a shell sets them for its own directory and command",
  },
  {
    names: ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS"],
    rule: "restored",
    because: "they change how Node runs; the commands of Codex have them, the broker does not",
  },
];

/** Names with blanks between them, because there are many. */
function namesIn(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
