// What the protocol's files say: the declarations of both modules, and the methods of each direction.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { propertiesOf, readType } from "./type-reader.mjs";

/**
 * @typedef {import("./type-reader.mjs").Type} Type
 * @typedef {import("./type-reader.mjs").Fact} Fact
 * @typedef {{name: string, module: "v1" | "v2", imports: Map<string, string>, doc: string, body: string}} Declaration
 * @typedef {{method: string, params: string | undefined, absent: string[]}} Message
 *   `params` is a full name, as Protocol.locate gives it; `absent` holds null and undefined
 */

const declaration = /^((?:\/\*\*[\s\S]*?\*\/\s*)?)export type (\w+) =\s*([\s\S]*?);\s*$/;
const importLine = /^import type \{ (\w+) \} from "([^"]+)";\n/gm;

/** One output of `codex app-server generate-ts`. */
export class Protocol {
  /** @type {Map<string, Declaration>} */
  #declarations = new Map();

  /** @param {string} folder */
  constructor(folder) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name === "index.ts") continue;
      const path = join(entry.parentPath, entry.name);
      const module = /[\\/]v2$/.test(entry.parentPath) ? "v2" : "v1";
      const parsed = parseFile(readFileSync(path, "utf8"), module, path);
      this.#declarations.set(`${module}.${parsed.name}`, parsed);
    }
    if (this.#declarations.size === 0) throw new Error(`no types in ${folder}`);
  }

  /**
   * The declarations of a module, by name.
   * @param {"v1" | "v2"} module
   */
  module(module) {
    return [...this.#declarations.values()]
      .filter((one) => one.module === module)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * The full name, `module.name`, of a type; of two with that name it is v2's.
   * @param {string} name
   */
  locate(name) {
    return [`v2.${name}`, `v1.${name}`].find((key) => this.#declarations.has(key));
  }

  /**
   * The messages of a union such as `ClientRequest`, in the order of the file.
   * @param {string} union
   * @returns {Message[]}
   */
  messages(union) {
    const type = this.#read(`v1.${union}`);
    return (type.kind === "union" ? type.of : [type]).map((part) => {
      const properties = part.kind === "object" ? part.properties : undefined;
      const method = properties?.get("method")?.type;
      if (method?.kind !== "literal") throw new Error(`a member of ${union} has no method`);
      const params = properties?.get("params")?.type;
      const names = (params?.kind === "union" ? params.of : [params]).map((one) => {
        if (one?.kind !== "name") throw new Error(`the params of ${method.value} have no name`);
        return one.name;
      });
      const absent = names.filter((name) => !name.includes("."));
      const own = names.filter((name) => name.includes("."));
      if (own.length > 1) throw new Error(`${method.value} has params of several types`);
      return { method: method.value, params: own[0], absent };
    });
  }

  /**
   * The properties of a type, or of the type with that full name.
   * @param {Type | string | undefined} of
   * @returns {Map<string, Fact>}
   */
  properties(of) {
    if (of === undefined) return new Map();
    const type = typeof of === "string" ? /** @type {Type} */ ({ kind: "name", name: of }) : of;
    return propertiesOf(type, (name) => (name.includes(".") ? this.#read(name) : undefined));
  }

  /**
   * Every property that values of a type can have, at any depth, with the way to it.
   * @param {string | undefined} of
   * @returns {Generator<{name: string, path: string[], isRequestId: boolean}>}
   */
  *everyProperty(of) {
    if (of !== undefined) yield* this.#within({ kind: "name", name: of }, [], new Set());
  }

  /**
   * @param {Type} type
   * @param {string[]} path
   * @param {Set<string>} seen the types that were gone into already: some contain themselves
   * @returns {ReturnType<Protocol["everyProperty"]>}
   */
  *#within(type, path, seen) {
    switch (type.kind) {
      case "object":
        for (const [name, { type: inner }] of type.properties) {
          const here = [...path, name];
          yield { name, path: here, isRequestId: namesType(inner, "v1.RequestId") };
          yield* this.#within(inner, here, seen);
        }
        for (const value of type.values) yield* this.#within(value, [...path, "*"], seen);
        return;
      case "name":
        if (!type.name.includes(".") || seen.has(type.name)) return;
        seen.add(type.name);
        return yield* this.#within(this.#read(type.name), path, seen);
      case "array":
        return yield* this.#within(type.of, path, seen);
      case "union":
      case "intersection":
      case "generic":
        for (const part of type.of) yield* this.#within(part, path, seen);
        return;
      case "literal":
    }
  }

  /** @param {string} key */
  #read(key) {
    const found = this.#declarations.get(key);
    if (found === undefined) throw new Error(`the protocol has no ${key}`);
    return readType(found.body, (name) => {
      const here = `${found.module}.${name}`;
      return found.imports.get(name) ?? (this.#declarations.has(here) ? here : name);
    });
  }
}

/**
 * Whether values of a type, or the members of its lists, are of the type with that full name.
 * @param {Type} type
 * @param {string} name
 * @returns {boolean}
 */
function namesType(type, name) {
  if (type.kind === "name") return type.name === name;
  if (type.kind === "array") return namesType(type.of, name);
  if (type.kind !== "union" && type.kind !== "generic") return false;
  return type.of.some((part) => namesType(part, name));
}

/**
 * @param {string} source
 * @param {"v1" | "v2"} module
 * @param {string} path
 * @returns {Declaration}
 */
function parseFile(source, module, path) {
  const imports = new Map();
  for (const [, imported = "", from = ""] of source.matchAll(importLine)) {
    const inV2 = from.startsWith("./v2/") || (module === "v2" && /^\.\/\w+$/.test(from));
    imports.set(imported, `${inV2 ? "v2" : "v1"}.${imported}`);
  }
  const rest = source
    .replace(importLine, "")
    .replace(/^\/\/[^\n]*\n/gm, "")
    .trim();
  const match = declaration.exec(rest);
  if (!match) throw new Error(`${path} is not one exported type`);
  const [, doc = "", name = "", body = ""] = match;
  return { name, module, imports, doc: doc.trim(), body };
}
