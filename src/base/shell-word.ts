/** Needs no quotes in any POSIX shell. A leading `~` or `=` would be expanded. */
const PLAIN = /^[A-Za-z0-9_/.,:@%+-][A-Za-z0-9_/.,:@%+=-]*$/;

/** What a single-quoted word cannot carry to a shell through one line of a terminal. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|[^\S ]|  +|^ | $/u;

/** Returns the value in quotes that every POSIX shell takes literally. */
export function shellQuoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

/**
 * Returns the value as one word of a command that a person copies from a line of text. A value with
 * characters that a line does not show as they are is written in the `$'…'` of bash, zsh and ksh.
 */
export function shellWord(value: string): string {
  if (PLAIN.test(value)) return value;
  return INVISIBLE.test(value) ? `$'${bytewise(value)}'` : shellQuoted(value);
}

/** Escapes every byte that is not a visible ASCII character or a single space. */
function bytewise(value: string): string {
  return [...Buffer.from(value)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      if (/[A-Za-z0-9_/.,:@%+=-]/.test(character)) return character;
      return `\\${byte.toString(8).padStart(3, "0")}`;
    })
    .join("");
}
