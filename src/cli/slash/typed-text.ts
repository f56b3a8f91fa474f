import { BrokerError } from "../../base/errors.ts";

/**
 * The last line of what a slash command is given on stdin. The host cuts its own block of shell at the
 * first three backticks, wherever they come from: without this line, a part of the text is missing.
 */
export const LAST_LINE = "(end of what was typed)";

/**
 * What the user has typed behind the slash command, as it was typed.
 *
 * @throws BrokerError `usage` when it did not arrive whole.
 */
export function typedText(given: string): string {
  const body = given.replaceAll("\r\n", "\n").trimEnd();
  if (body !== LAST_LINE && !body.endsWith(`\n${LAST_LINE}`)) {
    throw new BrokerError(
      "usage",
      "What was typed did not arrive whole, and nothing was started.",
      {
        hint: "Leave out the ``` in it, or have the agent run the same line with its own shell tool.",
      },
    );
  }
  return body.slice(0, -LAST_LINE.length).trim();
}
