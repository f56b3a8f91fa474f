import * as fc from "fast-check";

// JSON as a text that no serializer would write: any white space, any way to escape a character,
// numbers that JavaScript cannot hold, members that stand twice.

/** White space that cannot end a line. */
export const space: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(" ", "\t", "\r"),
  maxLength: 2,
});

const character = fc.oneof(
  fc.constantFrom('"', "\\", "/", "{", "}", "[", "]", ",", ":", " ", "\u2028", "\u2029", "\u0085"),
  fc.constantFrom("ä", "漢", "😀", "\u0000", "\n", "\r", "\t", "\u001f", "\ufeff", "\u007f"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
);

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** One character of a string literal: as it is where that is allowed, or escaped. */
const literalCharacter = fc
  .tuple(character, fc.boolean())
  .map(([char, plain]) =>
    plain || /[\ud800-\udfff]/.test(char)
      ? JSON.stringify(char).slice(1, -1)
      : char.split("").map(escaped).join(""),
  );

/** A string literal with its quotes. */
export const stringText: fc.Arbitrary<string> = fc
  .array(literalCharacter, { maxLength: 8 })
  .map((characters) => `"${characters.join("")}"`);

const numberText = fc.oneof(
  fc.integer().map(String),
  fc.bigInt().map(String),
  fc.constantFrom("-0", "1e400", "-1.5E+3", "0.1e-7", "9007199254740993", "1.0"),
);

const scalarText = fc.oneof(stringText, numberText, fc.constantFrom("null", "true", "false"));

function listText(items: readonly string[], open: string, close: string, gap: string): string {
  return `${open}${gap}${items.join(`${gap},${gap}`)}${gap}${close}`;
}

/** Any JSON value as text. */
export const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string; member: string }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      scalarText,
      fc
        .tuple(fc.array(tie("value"), { maxLength: 3 }), space)
        .map(([items, gap]) => listText(items, "[", "]", gap)),
      fc
        .tuple(fc.array(tie("member"), { maxLength: 3 }), space)
        .map(([members, gap]) => listText(members, "{", "}", gap)),
    ),
    member: fc
      .tuple(stringText, space, space, tie("value"))
      .map(([name, before, after, value]) => `${name}${before}:${after}${value}`),
  }),
).value;

export interface Member {
  /** As it stands, quotes and escapes included. */
  readonly name: string;
  readonly value: string;
}

export const member: fc.Arbitrary<Member> = fc.record({ name: stringText, value: valueText });

/** An object's text, and where in it each value was put. */
export function objectText(
  members: readonly Member[],
  gap: string,
): { text: string; values: readonly { start: number; end: number }[] } {
  let text = `${gap}{${gap}`;
  const values = members.map(({ name, value }, index) => {
    text += `${index === 0 ? "" : `${gap},${gap}`}${name}${gap}:${gap}`;
    const start = text.length;
    text += value;
    return { start, end: text.length };
  });
  return { text: `${text}${gap}}${gap}`, values };
}
