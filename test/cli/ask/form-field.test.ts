import { describe, expect, test } from "vitest";
import { fieldsOf, valueOf, type Field } from "../../../src/cli/ask/form-field.ts";

function field(property: object, required = true): Field {
  const schema = { properties: { it: property }, required: required ? ["it"] : [] };
  const [only] = fieldsOf(schema) ?? [];
  if (only === undefined) throw new Error("it cannot be typed");
  return only;
}

const typed = (property: object, text: string, required = true): unknown =>
  valueOf(field(property, required), text);

describe("a requested schema", () => {
  test("is a list of fields, with what a person has to know", () => {
    const schema = {
      type: "object",
      required: ["name"],
      properties: {
        name: { type: "string", title: "Name", description: "Yours" },
        n: { type: "number" },
      },
    };
    expect(fieldsOf(schema)).toMatchObject([
      { name: "name", title: "Name", description: "Yours", required: true, kind: "text" },
      { name: "n", title: "n", description: "", required: false, kind: "number" },
    ]);
    expect(fieldsOf({ properties: {} })).toEqual([]);
  });

  test.each([
    ["an object", { type: "object" }],
    ["a list of anything", { type: "array", items: { type: "string" } }],
    ["nothing known", {}],
    ["no schema", null],
  ])("with %s in it cannot be typed", (_what, property) => {
    expect(fieldsOf({ properties: { ok: { type: "string" }, it: property } })).toBeUndefined();
  });

  test.each([null, undefined, "x", [], {}, { properties: [] }])("%j is none", (schema) => {
    expect(fieldsOf(schema)).toBeUndefined();
  });
});

describe("what was typed", () => {
  test("is a text within its bounds", () => {
    const name = { type: "string", minLength: 2, maxLength: 3 };
    expect(typed(name, "ab ")).toEqual({ value: "ab " });
    expect(typed(name, "a")).toEqual({ problem: "at least 2 characters" });
    expect(typed(name, "abcd")).toEqual({ problem: "at most 3 characters" });
    expect(typed(name, "👍👍👍")).toEqual({ value: "👍👍👍" });
  });

  test("is a number within its bounds", () => {
    const size = { type: "number", minimum: 1, maximum: 2 };
    expect(typed(size, " 1.5 ")).toEqual({ value: 1.5 });
    expect(typed(size, "0")).toEqual({ problem: "at least 1" });
    expect(typed(size, "3")).toEqual({ problem: "at most 2" });
    for (const none of ["x", "1x", "0x1", "Infinity", "1e999", "."]) {
      expect(typed(size, none)).toEqual({ problem: "a number" });
    }
    expect(typed({ type: "integer" }, "1.5")).toEqual({ problem: "a whole number" });
    expect(typed({ type: "integer" }, "-7")).toEqual({ value: -7 });
  });

  test("is yes or no", () => {
    const ok = { type: "boolean" };
    for (const yes of ["y", "Yes", "true"]) {
      expect(typed(ok, yes)).toEqual({ value: true });
    }
    for (const no of ["n", "NO", "false"]) {
      expect(typed(ok, no)).toEqual({ value: false });
    }
    expect(typed(ok, "maybe")).toEqual({ problem: "y or n" });
  });

  test.each([
    ["an enum", { type: "string", enum: ["s", "l"] }],
    ["an enum with names", { type: "string", enum: ["s", "l"], enumNames: ["Small", "Large"] }],
    ["titled values", { type: "string", oneOf: [{ const: "s", title: "S" }, { const: "l" }] }],
  ])("is the number of one of %s", (_what, property) => {
    expect(typed(property, "2")).toEqual({ value: "l" });
    for (const none of ["0", "3", "l", "-1", "1.0"]) {
      expect(typed(property, none)).toEqual({ problem: "a number from 1 to 2" });
    }
  });

  test.each([
    ["values", { type: "array", items: { enum: ["x", "y", "z"] } }],
    [
      "titled values",
      { type: "array", items: { anyOf: ["x", "y", "z"].map((each) => ({ const: each })) } },
    ],
  ])("is the numbers of several %s", (_what, property) => {
    expect(typed(property, "1, 3 3")).toEqual({ value: ["x", "z"] });
    expect(typed(property, "1,4")).toEqual({ problem: "a number from 1 to 3" });
    expect(typed({ ...property, minItems: 2 }, "1")).toEqual({ problem: "at least 2 choices" });
  });

  test("is nothing: the default, or left out, or asked again", () => {
    expect(typed({ type: "boolean", default: false }, " ")).toEqual({ value: false });
    expect(typed({ type: "string" }, "", false)).toEqual({ value: undefined });
    expect(typed({ type: "string" }, "")).toEqual({ problem: "this is needed" });
  });
});
