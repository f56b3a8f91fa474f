import { isRecord } from "../../wire/messages.ts";

/** The part of JSON Schema that a schema of ours uses. */
export interface Schema {
  readonly type: string | readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

/** Where a value does not fit its schema, in words; undefined when it fits. Nothing more may be in it. */
export function misfit(schema: Schema, value: unknown, place = "the reply"): string | undefined {
  const types = [schema.type].flat();
  if (!types.some((type) => isOfType(type, value))) return `${place} is not ${types.join(" or ")}`;
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) {
    return `${place} is not one of ${schema.enum.join(", ")}`;
  }
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    return value < minimum || value > maximum ? `${place} is out of range` : undefined;
  }
  if (Array.isArray(value)) return misfitOfItems(schema, value, place);
  return isRecord(value) ? misfitOfMembers(schema, value, place) : undefined;
}

function misfitOfItems(
  { items }: Schema,
  list: readonly unknown[],
  place: string,
): string | undefined {
  if (items === undefined) return undefined;
  for (const [index, item] of list.entries()) {
    const found = misfit(items, item, `${place}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function misfitOfMembers(
  { properties = {}, required = [] }: Schema,
  record: Readonly<Record<string, unknown>>,
  place: string,
): string | undefined {
  const missing = required.find((name) => !Object.hasOwn(record, name));
  if (missing !== undefined) return `${place} has no ${missing}`;
  for (const [name, value] of Object.entries(record)) {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema === undefined) return `${place} has a member ${JSON.stringify(name)} too many`;
    const found = misfit(schema, value, `${place}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isRecord(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
