import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { BrokerError, messageOf } from "../../base/errors.ts";

/** Whoever waits for this command should know that it waits for them. */
const SAY_SO_AFTER_MS = 3_000;

export interface PromptSource {
  readonly words: readonly string[];
  readonly file: string | undefined;
  /** Called when stdin keeps us waiting. */
  readonly onWait: () => void;
}

/** @throws BrokerError `usage`. */
export async function readPrompt(source: PromptSource): Promise<string> {
  const prompt = await readText(source);
  if (prompt.trim() === "") throw new BrokerError("usage", "The prompt is empty.", { hint: HINT });
  return prompt;
}

/**
 * From the command line, a file, or stdin, in this order. Stdin is read only if there is nothing
 * else, or `-` asks for it: a caller may leave it open for ever.
 *
 * @throws BrokerError `usage`.
 */
export async function readText({ words, file, onWait }: PromptSource): Promise<string> {
  if (file !== undefined && words.length > 0) {
    throw new BrokerError("usage", "The prompt is given twice: as words and with --file.");
  }
  if (file !== undefined) return readTextFile("prompt", file);
  if (words.length > 1 || (words.length === 1 && words[0] !== "-")) return words.join(" ");
  if (words.length === 0 && process.stdin.isTTY) {
    throw new BrokerError("usage", "There is no prompt.", { hint: HINT });
  }
  const timer = setTimeout(onWait, SAY_SO_AFTER_MS);
  try {
    return await text(process.stdin);
  } catch (error) {
    throw new BrokerError("usage", `The prompt could not be read from stdin: ${messageOf(error)}.`);
  } finally {
    clearTimeout(timer);
  }
}

/** @throws BrokerError `usage`. */
export function readTextFile(what: string, file: string): string {
  try {
    // Editors of Windows put a byte-order mark in front (F181).
    return readFileSync(file, "utf8").replace(/^\ufeff/, "");
  } catch (error) {
    throw new BrokerError("usage", `The ${what} cannot be read: ${messageOf(error)}.`, {
      cause: error,
      hint: "Name a readable file.",
    });
  }
}

const HINT = 'Write it after the options, as in `codex-broker run "explain this repository"`.';
