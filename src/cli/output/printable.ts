/**
 * What moves the cursor, changes the screen, turns the direction of text around, or is not visible at
 * all: controls, format characters, line and paragraph separators, fillers, variation selectors, tags,
 * half characters.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** Emoji hold joiners and variation selectors that are part of the picture. */
const EMOJI = /\p{Extended_Pictographic}\ufe0f?(?:\u200d\p{Extended_Pictographic}\ufe0f?)*/u;

/** Words of these scripts are spelt with joiners. No name of a program is. */
const SPELT_WITH_JOINERS =
  /(?<=[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}])[\u200c\u200d](?=\p{L})/u;

/** Matches what stays as it is first, so that only the last group is to be escaped. */
const TOKEN = new RegExp(
  `${EMOJI.source}|${SPELT_WITH_JOINERS.source}|(${UNPRINTABLE.source})`,
  "gu",
);

/** Returns the text of a model, a file or another program, made harmless for a terminal. Lines stay. */
export function printable(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(TOKEN, (token, unprintable: string | undefined) =>
      unprintable === undefined ? token : escaped(unprintable),
    );
}

/** Returns the same as one line: a run of white space becomes one space. */
export function printableLine(text: string): string {
  return printable(text.replace(/\s+/g, " ").trim());
}

function escaped(character: string): string {
  if (character === "\n" || character === "\t") return character;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 5)}}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
