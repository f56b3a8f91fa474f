import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";
import { importsOfFile } from "./source-imports.ts";

const src = fileURLToPath(new URL("../../src/", import.meta.url));

/** The source files that are loaded with this one, itself included. Imports of types load nothing. */
export function filesLoadedWith(entry: string): string[] {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    for (const { specifier, typeOnly } of importsOfFile(file)) {
      if (typeOnly || specifier?.startsWith(".") !== true) continue;
      loaded.add(path.posix.join(path.posix.dirname(file), specifier));
    }
  }
  return [...loaded].toSorted();
}

/** The names of the calls in a source file that block its thread until the system has answered. */
export function syncCallsOfFile(file: string): string[] {
  return syncCallsIn(file, readFileSync(path.join(src, file), "utf8"));
}

/** The same in a text that is, or could be, the source file of that name. */
export function syncCallsIn(file: string, text: string): string[] {
  const { program, errors } = parseSync(file, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${file}: ${error.message}`);
  const found = new Set<string>();
  new Visitor({
    // By name and not by call, because a function can be passed on.
    Identifier: ({ name }) => {
      if (/^\w+Sync$/.test(name)) found.add(name);
    },
    MemberExpression: ({ object, property }) => {
      const isWait = object.type === "Identifier" && object.name === "Atomics";
      if (isWait && property.type === "Identifier" && property.name === "wait") {
        found.add("Atomics.wait");
      }
    },
  }).visit(program);
  return [...found].toSorted();
}
