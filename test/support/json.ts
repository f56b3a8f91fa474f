/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Whether the value is an object, and neither a list nor `null`. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What lies at a dotted path of keys and indices, or `undefined` where the path leaves the value. */
export function at(value: Json | undefined, path: string): Json | undefined {
  let here = value;
  for (const key of path.split(".")) {
    if (isObject(here)) here = here[key];
    else if (Array.isArray(here)) here = (here as readonly Json[])[Number(key)];
    else return undefined;
  }
  return here;
}

/** The list at a dotted path; empty when there is something else or nothing. */
export function listAt(value: Json | undefined, path: string): readonly Json[] {
  const found = at(value, path);
  return Array.isArray(found) ? (found as readonly Json[]) : [];
}

/**
 * The string at a dotted path.
 *
 * @throws Error when there is something else or nothing.
 */
export function textAt(value: Json | undefined, path: string): string {
  const found = at(value, path);
  if (typeof found === "string") return found;
  throw new Error(`no text at ${path} of ${(JSON.stringify(value) ?? "nothing").slice(0, 500)}`);
}
