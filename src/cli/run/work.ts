import type { v2 } from "../../app-server/generated/index.ts";
import { isSystemShell } from "../../policy/plain-words.ts";
import { counted } from "../output/amounts.ts";

/** Something that Codex does within a turn, in words: `running` `npm test`. */
export interface Work {
  readonly doing: string;
  /** Foreign text; empty where there is nothing to say. */
  readonly subject: string;
}

export interface Outcome {
  readonly state: "ok" | "failed" | "declined";
  /** `exit 0`, `done`, `declined`. */
  readonly words: string;
  readonly durationMs: number | null;
}

const DECLINED: Outcome = { state: "declined", words: "declined", durationMs: null };

/** What an item is about; undefined where there is nothing to show. */
export function workOf(item: v2.ThreadItem): Work | undefined {
  switch (item.type) {
    case "agentMessage":
      return { doing: "writing", subject: "" };
    case "reasoning":
      return { doing: "thinking", subject: "" };
    case "plan":
      return { doing: "planning", subject: "" };
    case "commandExecution":
      return { doing: "running", subject: withoutShell(item.command) };
    case "fileChange":
      return { doing: "editing", subject: item.changes.map(({ path }) => path).join(", ") };
    case "mcpToolCall":
      return { doing: "calling", subject: `${item.server}.${item.tool}` };
    case "dynamicToolCall":
      return { doing: "calling", subject: item.tool };
    case "collabAgentToolCall":
      return { doing: "working with a sub-agent", subject: item.tool };
    case "webSearch":
      return { doing: "searching", subject: item.query };
    case "imageView":
      return { doing: "looking at", subject: item.path };
    case "imageGeneration":
      return { doing: "drawing", subject: item.revisedPrompt ?? "" };
    case "contextCompaction":
      return { doing: "compacting the context", subject: "" };
    case "sleep":
      return { doing: "waiting", subject: "" };
    default:
      return undefined;
  }
}

/** How it ended; undefined for what leaves no trace of its own: messages, thoughts. */
export function outcomeOf(item: v2.ThreadItem): Outcome | undefined {
  switch (item.type) {
    case "commandExecution": {
      const { status, exitCode, durationMs } = item;
      if (status === "declined") return DECLINED;
      const ok = status === "completed" && (exitCode ?? 0) === 0;
      const words = exitCode === null ? (ok ? "done" : "failed") : `exit ${exitCode}`;
      return { state: ok ? "ok" : "failed", words, durationMs };
    }
    case "fileChange": {
      const files = counted(item.changes.length, "file");
      if (item.status === "declined") return DECLINED;
      const ok = item.status === "completed";
      return {
        state: ok ? "ok" : "failed",
        words: ok ? `changed ${files}` : "failed",
        durationMs: null,
      };
    }
    case "mcpToolCall":
    case "dynamicToolCall":
    case "collabAgentToolCall": {
      const ok = item.status === "completed";
      const durationMs = item.type === "collabAgentToolCall" ? null : item.durationMs;
      return { state: ok ? "ok" : "failed", words: ok ? "done" : "failed", durationMs };
    }
    case "webSearch":
    case "imageGeneration":
    case "contextCompaction":
      return { state: "ok", words: "done", durationMs: null };
    default:
      return undefined;
  }
}

/** What Linux and macOS set up a sandbox with, and not the command, has said this. */
const BY_THE_SANDBOX = /^(?:bwrap|codex-linux-sandbox|sandbox-exec): .*/;

/** Why the sandbox could not be set up for a command, in its own words; undefined where it was. */
export function sandboxFailureOf(item: v2.ThreadItem): string | undefined {
  if (item.type !== "commandExecution" || (item.exitCode ?? 0) === 0) return undefined;
  return BY_THE_SANDBOX.exec(item.aggregatedOutput ?? "")?.[0];
}

const SCRIPT = /^(\S+) -l?c (.+)$/s;
/**
 * Where Windows and its installers put PowerShell. Another one can be anybody's program. Codex doubles
 * the backslashes of a quoted path.
 */
const POWERSHELL = new RegExp(
  String.raw`^"?[a-z]:\\{1,2}(?:windows\\{1,2}system32\\{1,2}windowspowershell\\{1,2}v1\.0\\{1,2}powershell|program files\\{1,2}powershell\\{1,2}\d+\\{1,2}pwsh)(?:\.exe)?"?(?: -noprofile)? -command (.+)$`,
  "is",
);

/** Leaves the shell of the system out: `/bin/bash -lc 'npm test'` is `npm test` (F178). */
export function withoutShell(command: string): string {
  const [, shell = "", script] = SCRIPT.exec(command) ?? [];
  const wrapped = isSystemShell(shell) ? script : POWERSHELL.exec(command)?.[1];
  return wrapped === undefined ? command : (unquoted(wrapped) ?? wrapped);
}

/** A text that is one quoted word to a shell, without its quotes. */
function unquoted(word: string): string | undefined {
  if (/^'(?:[^']|'\\'')*'$/s.test(word)) return word.slice(1, -1).replaceAll(`'\\''`, "'");
  if (/^"(?:[^"\\$`]|\\.)*"$/s.test(word)) return word.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
  return undefined;
}
