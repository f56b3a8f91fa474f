import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nestingOf, objectMembers } from "../../src/wire/json-members.ts";
import { member, objectText, space, valueText } from "./json-text.ts";

function membersOf(text: string): Array<[name: string, value: string]> {
  return objectMembers(text).map(([name, { start, end }]) => [name, text.slice(start, end)]);
}

describe("the members of an object", () => {
  test("are found where they stand, whatever is in and around them", () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 5 }), space, (members, gap) => {
        const { text, values } = objectText(members, gap);
        expect(objectMembers(text)).toEqual(
          members.map(({ name }, index) => [JSON.parse(name), values[index]]),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("are what JSON.parse finds, the last of equal names counting", () => {
    fc.assert(
      fc.property(fc.array(member, { maxLength: 5 }), space, (members, gap) => {
        const { text } = objectText(members, gap);
        const found = membersOf(text).map(([name, value]) => [name, JSON.parse(value)] as const);
        expect(Object.fromEntries(found)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("are found in whatever JSON.stringify writes, compact or not", () => {
    const objects = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
    });
    fc.assert(
      fc.property(objects, fc.constantFrom(0, 2, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(membersOf(text).map(([name]) => name)).toEqual(Object.keys(value));
        for (const [name, span] of membersOf(text)) {
          expect(JSON.stringify(JSON.parse(span))).toBe(JSON.stringify(value[name]));
        }
      }),
    );
  });

  test("that stand twice are found twice, in whatever way their name is written", () => {
    expect(membersOf('{"id":1,"\\u0069d":2,"id" : 3}')).toEqual([
      ["id", "1"],
      ["id", "2"],
      ["id", "3"],
    ]);
  });

  test.each([
    ['{"a":"\\\\"}', '"\\\\"'],
    ['{"a":"\\\\\\""}', '"\\\\\\""'],
    ['{"a":"}{][,:"}', '"}{][,:"'],
    ['{"a":[{"a":"]"},[]]}', '[{"a":"]"},[]]'],
    ['{"a":-0.1e-7 }', "-0.1e-7"],
    ['\t{"a"\r:\ttrue}', "true"],
  ])("%s has one", (text, value) => {
    expect(membersOf(text)).toEqual([["a", value]]);
  });

  test("of an empty object are none", () => {
    expect(membersOf(" { } ")).toEqual([]);
  });

  test("are found in linear time, however long a value is and however many backslashes it has", () => {
    const long = JSON.stringify({ id: 1, params: { text: '\\"'.repeat(500_000) } });
    const before = process.cpuUsage();
    expect(objectMembers(long)).toHaveLength(2);
    // Linear takes 10 ms, quadratic hours; time of the processor does not depend on its other work.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5_000);
  });
});

describe("the nesting of a text", () => {
  function depthOf(value: unknown): number {
    if (typeof value !== "object" || value === null) return 0;
    return 1 + Math.max(0, ...Object.values(value).map(depthOf));
  }

  test("is that of the value, whatever brackets stand in its strings", () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: "large" }), (value) => {
        expect(nestingOf(JSON.stringify(value))).toBe(depthOf(value));
      }),
    );
    fc.assert(
      // A member that stands twice hides the first one from JSON.parse.
      fc.property(valueText, (text) => {
        expect(nestingOf(text)).toBeGreaterThanOrEqual(depthOf(JSON.parse(text)));
      }),
    );
  });

  test("of any depth is found without running out of stack", () => {
    expect(nestingOf(`${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`)).toBe(1_000_000);
  });
});
