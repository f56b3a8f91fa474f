import type { Readable } from "node:stream";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { BrokerError } from "../../base/errors.ts";

/**
 * The last line of what a slash command is given on stdin. The host cuts its own block of shell at the
 * first three backticks, wherever they come from: without this line, a part of the text is missing.
 */
export const LAST_LINE = "(end of what was typed)";

/** A host writes it at once. */
const ARRIVES_WITHIN_MS = 10_000;

/**
 * Up to the last line, or to the end of the stream: a stream that stays open keeps nobody waiting.
 *
 * @throws BrokerError `usage` when it did not arrive whole, or not in time.
 */
export async function readTypedText(
  stdin: Readable,
  deadline = Deadline.after(ARRIVES_WITHIN_MS),
): Promise<string> {
  const whole = deferred<string>();
  let given = "";
  stdin.setEncoding("utf8");
  stdin.on("data", (piece: string) => {
    given += piece;
    if (hasLastLine(given)) whole.resolve(given);
  });
  stdin.on("end", () => whole.resolve(given));
  stdin.on("error", whole.reject);
  try {
    return typedText(await deadline.race(whole.promise, () => notWhole()));
  } finally {
    stdin.removeAllListeners("data").pause();
  }
}

/**
 * What the user has typed behind the slash command, as it was typed.
 *
 * @throws BrokerError `usage` when it did not arrive whole.
 */
export function typedText(given: string): string {
  if (!hasLastLine(given)) throw notWhole();
  return given.replaceAll("\r\n", "\n").trimEnd().slice(0, -LAST_LINE.length).trim();
}

function hasLastLine(given: string): boolean {
  const body = given.trimEnd();
  return body === LAST_LINE || body.endsWith(`\n${LAST_LINE}`);
}

function notWhole(): BrokerError {
  return new BrokerError("usage", "What was typed did not arrive whole, and nothing was started.", {
    hint: "Leave out the ``` in it, or have the agent run the same line with its own shell tool.",
  });
}
