/**
 * Everything that could move the cursor, change the screen or turn the direction of text around:
 * C0 without tab and line feed, DEL, C1, and the bidirectional controls.
 */
const UNPRINTABLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text from a model, a file or another program, made harmless for a terminal. Its lines stay. */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNPRINTABLE, escaped);
}

/** The same in one line: whatever separates words there separates them here by one space. */
export function printableLine(text: string): string {
  return text
    .replace(/[\s\u2028\u2029]+/g, " ")
    .trim()
    .replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
