import { isRecord } from "../../wire/messages.ts";

interface Option {
  readonly value: string;
  readonly label: string;
}

/** One thing that an MCP server asks for. */
export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly required: boolean;
  readonly kind: "text" | "number" | "integer" | "boolean" | "one" | "many";
  readonly options: readonly Option[];
  /** Taken where nothing is typed. */
  readonly fallback: unknown;
  /** Of a text its length, of a number its value, of a choice how many. */
  readonly least: number;
  readonly most: number;
}

export type Typed = { readonly value: unknown } | { readonly problem: string };

/** The fields of a requested schema; undefined where it asks for something that cannot be typed. */
export function fieldsOf(schema: unknown): readonly Field[] | undefined {
  if (!isRecord(schema) || !isRecord(schema["properties"])) return undefined;
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  const fields = Object.entries(schema["properties"]).map(([name, property]) =>
    isRecord(property) ? fieldOf(name, property, required.includes(name)) : undefined,
  );
  return fields.every((field) => field !== undefined) ? fields : undefined;
}

function fieldOf(
  name: string,
  property: Record<string, unknown>,
  required: boolean,
): Field | undefined {
  const items = isRecord(property["items"]) ? property["items"] : {};
  const options = optionsOf(property) ?? optionsOf(items);
  const kind = kindOf(property["type"], options !== undefined);
  if (kind === undefined) return undefined;
  const bound = (...names: string[]): number | undefined =>
    names.map((each) => property[each]).find((value) => typeof value === "number");
  return {
    name,
    title: textOf(property["title"]) ?? name,
    description: textOf(property["description"]) ?? "",
    required,
    kind,
    options: options ?? [],
    fallback: property["default"],
    least: bound("minLength", "minimum", "minItems") ?? Number.NEGATIVE_INFINITY,
    most: bound("maxLength", "maximum", "maxItems") ?? Number.POSITIVE_INFINITY,
  };
}

function kindOf(type: unknown, hasOptions: boolean): Field["kind"] | undefined {
  switch (type) {
    case "string":
      return hasOptions ? "one" : "text";
    case "array":
      return hasOptions ? "many" : undefined;
    case "number":
    case "integer":
    case "boolean":
      return type;
    default:
      return undefined;
  }
}

/** The three ways in which a schema lists what may be chosen. */
function optionsOf(schema: Record<string, unknown>): readonly Option[] | undefined {
  const { enum: values, enumNames: names, oneOf, anyOf } = schema;
  if (Array.isArray(values)) {
    const labels: readonly unknown[] = Array.isArray(names) ? names : [];
    return values.map((value, index) => ({
      value: String(value),
      label: textOf(labels[index]) ?? String(value),
    }));
  }
  const titled = Array.isArray(oneOf) ? oneOf : anyOf;
  if (!Array.isArray(titled)) return undefined;
  return titled.filter(isRecord).map((each) => ({
    value: String(each["const"]),
    label: textOf(each["title"]) ?? String(each["const"]),
  }));
}

/** What was typed, as the schema wants it. `value` is undefined where an optional field was left out. */
export function valueOf(field: Field, typed: string): Typed {
  const text = typed.trim();
  if (text === "") {
    if (field.fallback !== undefined) return { value: field.fallback };
    return field.required ? { problem: "this is needed" } : { value: undefined };
  }
  switch (field.kind) {
    case "text":
      return within(field, typed, Array.from(typed).length, "characters");
    case "number":
    case "integer":
      return numberIn(field, text);
    case "boolean":
      if (/^(?:y|yes|true)$/i.test(text)) return { value: true };
      return /^(?:n|no|false)$/i.test(text) ? { value: false } : { problem: "y or n" };
    case "one": {
      const option = optionAt(field, text);
      return option === undefined ? { problem: numbersOf(field) } : { value: option };
    }
    case "many": {
      const chosen = text.split(/[\s,]+/).map((each) => optionAt(field, each));
      if (!chosen.every((each) => each !== undefined)) return { problem: numbersOf(field) };
      const distinct = [...new Set(chosen)];
      return within(field, distinct, distinct.length, "choices");
    }
  }
}

function numberIn(field: Field, text: string): Typed {
  const value = Number(text);
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text) || !Number.isFinite(value)) {
    return { problem: "a number" };
  }
  if (field.kind === "integer" && !Number.isSafeInteger(value)) {
    return { problem: "a whole number" };
  }
  return within(field, value, value, "");
}

function within({ least, most }: Field, value: unknown, size: number, unit: string): Typed {
  const what = unit === "" ? "" : ` ${unit}`;
  if (size < least) return { problem: `at least ${least}${what}` };
  return size > most ? { problem: `at most ${most}${what}` } : { value };
}

function optionAt({ options }: Field, text: string): string | undefined {
  return /^\d+$/.test(text) ? options[Number(text) - 1]?.value : undefined;
}

function numbersOf({ options }: Field): string {
  return `a number from 1 to ${options.length}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
