import type { Options } from "./line/option-spec.ts";

/** Which broker is meant. */
export const scopeOptions = {
  cwd: { value: "DIR", help: "any directory of the workspace (default: the current one)" },
  codex: { value: "PATH", help: "the codex to use (default: CODEX_BROKER_CODEX, then PATH)" },
  label: { value: "NAME", help: "keeps this broker apart from others of the same workspace" },
} as const satisfies Options;

export const sharingOptions = {
  private: { help: "use an app-server of its own, shared with nobody, which ends with it" },
} as const satisfies Options;

/** How a broker is started, should none be there. */
export const startOptions = {
  "start-timeout": {
    value: "SECONDS",
    help: "how long a broker may take to be there (default: 60)",
  },
  "idle-timeout": {
    value: "SECONDS",
    help: "a broker started now ends when unused for so long (900)",
  },
  "answer-timeout": {
    value: "SECONDS",
    help: "how long a question of Codex may wait for its answer (600)",
  },
  "max-age": { value: "HOURS", help: "replace a broker that is older; 0 never does (default: 6)" },
  "max-memory": {
    value: "MB",
    help: "… or uses more, with its app-server and what this has started (4000)",
  },
  "max-descriptors": { value: "PERCENT", help: "… or has more of its descriptors open (80)" },
  "max-descendants": { value: "N", help: "… or whose app-server has started more processes (500)" },
  "max-failures": { value: "N", help: "… or whose last N turns did not reach the model (5)" },
} as const satisfies Options;

export const jsonOption = {
  json: { help: "print one JSON object, and nothing else, on stdout" },
} as const satisfies Options;
