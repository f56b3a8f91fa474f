import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";

/** One import that a file states: static, re-exported, dynamic, or inside a type. */
export interface SourceImport {
  /** Relative to `src`, with forward slashes. */
  readonly from: string;
  /** The module as written; undefined where it is computed. */
  readonly specifier: string | undefined;
  /** The whole statement is erased when types are. */
  readonly typeOnly: boolean;
}

const src = fileURLToPath(new URL("../../src/", import.meta.url));

/** The source files, relative to `src`. */
export function sourceFiles(): string[] {
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => name.split(path.sep).join("/"))
    .toSorted();
}

/** Every import of a source file. */
export function importsOfFile(file: string): SourceImport[] {
  return importsOf(file, readFileSync(path.join(src, file), "utf8"));
}

/** Every import in a text that is, or could be, the source file of that name. */
export function importsOf(file: string, text: string): SourceImport[] {
  const { program, errors } = parseSync(file, text);
  const [error] = errors;
  if (error !== undefined) throw new Error(`${file}: ${error.message}`);
  const found: SourceImport[] = [];
  const add = (specifier: unknown, typeOnly: boolean): void => {
    found.push({
      from: file,
      specifier: typeof specifier === "string" ? specifier : undefined,
      typeOnly,
    });
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source.value, node.importKind === "type"),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) add(node.source.value, node.exportKind === "type");
    },
    ExportAllDeclaration: (node) => add(node.source.value, node.exportKind === "type"),
    ImportExpression: (node) =>
      add(node.source.type === "Literal" ? node.source.value : undefined, false),
    TSImportType: (node) => add(node.source.value, true),
  }).visit(program);
  return found;
}
