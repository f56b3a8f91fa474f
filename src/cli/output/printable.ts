/** Everything that could move the cursor, change the screen or turn the direction of text around. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}]/gu;

/** A text from a model, a file or another program, made harmless for a terminal. Its lines stay. */
export function printable(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNPRINTABLE, escaped);
}

/** The same in one line: whatever separates words there separates them here by one space. */
export function printableLine(text: string): string {
  return printable(text.replace(/\s+/g, " ").trim());
}

function escaped(character: string): string {
  if (character === "\n" || character === "\t") return character;
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
