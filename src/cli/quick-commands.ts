import type { CommandSpec } from "./line/option-spec.ts";
import { jsonOption, scopeOptions, sharingOptions, startOptions } from "./options.ts";

export const ensureOptions = { ...scopeOptions, ...startOptions, ...jsonOption } as const;
export const statusOptions = { ...scopeOptions, ...jsonOption } as const;
export const callOptions = {
  ...scopeOptions,
  ...sharingOptions,
  experimental: { help: "use the app-server's experimental API" },
  timeout: { value: "SECONDS", help: "how long to wait for the answer (default: no limit)" },
  json: { help: "print the result on one line" },
  ...startOptions,
} as const;
export const envOptions = { ...scopeOptions, ...startOptions, ...jsonOption } as const;

/**
 * What scripts and hooks ask often, and is answered at once: to load it is most of what it costs, so each
 * is a program of its own.
 */
export const quick = {
  ensure: {
    name: "ensure",
    summary: "make sure that a healthy broker is there",
    operands: [],
    options: ensureOptions,
    examples: [
      { line: "codex-broker ensure", does: "start one unless there is one" },
      { line: "codex-broker ensure --json | jq -r .endpoint", does: "where it listens" },
    ],
  },
  status: {
    name: "status",
    summary: "show the workspace's broker, its sessions and its turns",
    about: "Shows the workspace's broker as it reports itself. Never starts one.",
    operands: [],
    options: statusOptions,
    examples: [
      { line: "codex-broker status", does: "look" },
      { line: "codex-broker status --json | jq .turns", does: "what is running" },
    ],
  },
  call: {
    name: "call",
    summary: "send one request to the app-server and print the result",
    operands: [
      {
        name: "method",
        required: true,
        help: "for example thread/list; broker/… goes to the broker",
      },
      { name: "params", help: "a JSON object (default: {}); - reads it from stdin" },
    ],
    options: callOptions,
    examples: [
      { line: "codex-broker call account/read", does: "no parameters" },
      { line: `codex-broker call thread/list '{"limit":3}'`, does: "with parameters" },
      {
        line: "codex-broker call server/diagnostics --experimental",
        does: "needs the experimental API",
      },
    ],
  },
  env: {
    name: "env",
    summary: "print what to export so that other programs find the broker",
    about:
      "Makes sure that a broker is there and prints export lines for a POSIX shell. The path in them follows " +
      "rotations.",
    operands: [],
    options: envOptions,
    examples: [{ line: 'eval "$(codex-broker env)"', does: "for the published Codex plugin" }],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>;
