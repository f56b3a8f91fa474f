import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { BrokerError } from "../../base/errors.ts";

/**
 * Returns the last line of what a slash command is given on stdin: without it, a part of the text is
 * missing.
 */
export function lastLine(delimiter: string): string {
  return `(end of what was typed, ${delimiter})`;
}

const DELIMITER = /^CODEX_BROKER_TYPED_[0-9a-f]{32}$/;

/**
 * Returns a new delimiter for a here-document. It is random and made after the text was typed, so that the
 * text cannot contain it.
 */
export function newDelimiter(): string {
  return `CODEX_BROKER_TYPED_${randomBytes(16).toString("hex")}`;
}

/** A host writes it at once. */
const ARRIVES_WITHIN_MS = 10_000;

/**
 * Up to the last line, or to the end of the stream: a stream that stays open keeps nobody waiting.
 *
 * @param delimiter that of the here-document, as `newDelimiter` made it.
 * @throws BrokerError `usage` when it did not arrive whole, or not in time, or behind another delimiter.
 */
export async function readTypedText(
  stdin: Readable,
  delimiter: string | undefined,
  deadline = Deadline.after(ARRIVES_WITHIN_MS),
): Promise<string> {
  if (delimiter === undefined || !DELIMITER.test(delimiter)) throw notOurs();
  const whole = deferred<string>();
  let given = "";
  stdin.setEncoding("utf8");
  stdin.on("data", (piece: string) => {
    given += piece;
    if (hasLastLine(given, delimiter)) whole.resolve(given);
  });
  stdin.on("end", () => whole.resolve(given));
  stdin.on("error", whole.reject);
  try {
    return typedText(await deadline.race(whole.promise, () => notWhole()), delimiter);
  } finally {
    stdin.removeAllListeners("data").pause();
  }
}

/**
 * What the user has typed behind the slash command, as it was typed.
 *
 * @throws BrokerError `usage` when it did not arrive whole, or contains the delimiter.
 */
export function typedText(given: string, delimiter: string): string {
  if (!hasLastLine(given, delimiter)) throw notWhole();
  const last = lastLine(delimiter);
  const text = given.replaceAll("\r\n", "\n").trimEnd().slice(0, -last.length).trim();
  if (text.includes(delimiter)) throw notOurs();
  return text;
}

function hasLastLine(given: string, delimiter: string): boolean {
  const body = given.trimEnd();
  const last = lastLine(delimiter);
  return body === last || body.endsWith(`\n${last}`);
}

function notWhole(): BrokerError {
  return new BrokerError("usage", "What was typed did not arrive whole, and nothing was started.", {
    hint: "Put the whole text between the lines of the here-document, and the last line of the page after it.",
  });
}

function notOurs(): BrokerError {
  return new BrokerError(
    "usage",
    "The delimiter of the text is not one of `slash delimiter`, and nothing was started.",
    {
      hint: "Run `codex-broker slash delimiter`, and use the word that it prints for this text alone.",
    },
  );
}
