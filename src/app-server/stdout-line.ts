import { stripVTControlCharacters } from "node:util";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const CARRIAGE_RETURN = 0x0d;

/**
 * The JSON object on a line of the app-server's stdout, or undefined when the line is noise: a banner
 * of a development shell, a terminal's control sequence, the output of a tool that inherited stdout.
 * Whether the object is well formed is for its reader to say: a broken one is never noise.
 */
export function objectOnLine(line: Buffer): Buffer | undefined {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  if (line[0] === OPEN_BRACE && line[end - 1] === CLOSE_BRACE) return line;
  const text = stripVTControlCharacters(line.toString("utf8")).trim();
  return text.startsWith("{") ? Buffer.from(text) : undefined;
}
