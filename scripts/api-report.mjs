// Writes docs/api.md: what the package exports, and every declaration that this leads to. So that a change of the
// interface shows in review. `--check` writes nothing and fails when the page is out of date. Needs `npm run build`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import { root } from "./constants.mjs";

const types = join(root, "dist/types");
const page = join(root, "docs/api.md");
/** Codex's own types: generated, and as many as all others together. */
const GENERATED = "app-server/generated/";

/**
 * @typedef {{ file: string, name: string }} Target a name in a file
 * @typedef {{ start: number, text: string, uses: string[] }} Declaration
 * @typedef {{ declared: Map<string, Declaration[]>, elsewhere: Map<string, Target>, exported: string[] }} Module
 */

/** @type {Map<string, Module>} */
const modules = new Map();
const report = write();

if (!process.argv.includes("--check")) {
  writeFileSync(page, report);
  console.log("wrote docs/api.md");
} else if (existsSync(page) && readFileSync(page, "utf8") === report) {
  console.log("docs/api.md is what the declarations say");
} else {
  console.error(
    "The interface has changed and docs/api.md does not say so. Run `npm run api` and review the change.",
  );
  process.exitCode = 1;
}

function write() {
  const { exported, elsewhere } = moduleOf("index.d.ts");
  const reached = reachableFrom([...elsewhere.values()]);
  const files = [...reached.keys()].toSorted();
  const parts = files.map((file) => {
    const texts = [...(reached.get(file) ?? [])]
      .toSorted((a, b) => a.start - b.start)
      .map(({ text }) => text);
    return `## ${file}\n\n\`\`\`ts\n${texts.join("\n\n")}\n\`\`\`\n`;
  });
  const list = exported.toSorted().map((name) => `- \`${name}\``);
  return `# The interface of the library

Written by \`npm run api\` from the declarations; do not edit. What a program can import, and below it every declaration
that this leads to, without comments. \`protocol\` is Codex's own protocol, generated, and not repeated here.

${list.join("\n")}

${parts.join("\n")}`;
}

/**
 * @param {Target[]} targets
 * @returns {Map<string, Set<Declaration>>}
 */
function reachableFrom(targets) {
  /** @type {Map<string, Set<Declaration>>} */
  const reached = new Map();
  const open = [...targets];
  for (const { file, name } of open) {
    if (file.startsWith(GENERATED)) continue;
    const { declared, elsewhere } = moduleOf(file);
    const other = elsewhere.get(name);
    if (other !== undefined) open.push(other);
    for (const declaration of declared.get(name) ?? []) {
      const ofFile = reached.get(file) ?? new Set();
      reached.set(file, ofFile);
      if (ofFile.has(declaration)) continue;
      ofFile.add(declaration);
      open.push(...declaration.uses.map((used) => ({ file, name: used })));
    }
  }
  return reached;
}

/**
 * @param {string} file
 * @returns {Module}
 */
function moduleOf(file) {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const source = readFileSync(join(types, file), "utf8");
  const { program, comments, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message ?? "it cannot be read"}`);
  /** @type {Module} */
  const module = { declared: new Map(), elsewhere: new Map(), exported: [] };
  modules.set(file, module);
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration" || statement.type === "ExportNamedDeclaration") {
      addNames(module, file, statement);
    }
    if (statement.type === "ExportAllDeclaration" && statement.exported !== null) {
      const name = nameOf(statement.exported);
      module.exported.push(name);
      module.elsewhere.set(name, { file: targetOf(file, statement.source.value), name: "*" });
    }
    const declaration =
      statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    for (const name of declaration === null ? [] : namesOf(declaration)) {
      const found = {
        start: statement.start,
        text: textOf(source, statement, comments),
        uses: usesOf(statement, file),
      };
      module.declared.set(name, [...(module.declared.get(name) ?? []), found]);
    }
  }
  return module;
}

/**
 * @param {Module} module
 * @param {string} file
 * @param {import("oxc-parser").ImportDeclaration | import("oxc-parser").ExportNamedDeclaration} statement
 */
function addNames({ elsewhere, exported }, file, statement) {
  const from = statement.source?.value;
  for (const specifier of statement.specifiers) {
    if (specifier.type === "ExportSpecifier") exported.push(nameOf(specifier.exported));
    if (from === undefined || !from.startsWith(".")) continue;
    const target = targetOf(file, from);
    if (specifier.type === "ExportSpecifier") {
      elsewhere.set(nameOf(specifier.exported), { file: target, name: nameOf(specifier.local) });
    } else if (specifier.type === "ImportSpecifier") {
      elsewhere.set(specifier.local.name, { file: target, name: nameOf(specifier.imported) });
    }
  }
}

/** @param {string} file @param {string} specifier */
function targetOf(file, specifier) {
  return posix.join(posix.dirname(file), specifier).replace(/\.ts$/, ".d.ts");
}

/** @param {import("oxc-parser").ModuleExportName} name */
function nameOf(name) {
  return name.type === "Literal" ? name.value : name.name;
}

/**
 * The names that a statement declares.
 * @param {import("oxc-parser").Statement} declaration
 * @returns {string[]}
 */
function namesOf(declaration) {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.flatMap(({ id }) =>
      id.type === "Identifier" ? [id.name] : [],
    );
  }
  return "id" in declaration && declaration.id?.type === "Identifier" ? [declaration.id.name] : [];
}

/**
 * Every name that stands in it: one that is declared nowhere leads nowhere.
 * @param {import("oxc-parser").Statement} statement
 * @param {string} file
 * @returns {string[]}
 */
function usesOf(statement, file) {
  /** @type {Set<string>} */
  const names = new Set();
  const visitor = new Visitor({
    Identifier: ({ name }) => void names.add(name),
    TSImportType: ({ start }) => {
      throw new Error(`${file}: an import inside a type, at ${start}, is not followed`);
    },
  });
  visitor.visit({
    type: "Program",
    body: [statement],
    sourceType: "module",
    hashbang: null,
    start: 0,
    end: 0,
  });
  return [...names];
}

/**
 * @param {string} source
 * @param {{ start: number, end: number }} statement
 * @param {readonly { start: number, end: number }[]} comments
 */
function textOf(source, { start, end }, comments) {
  let text = "";
  let at = start;
  for (const comment of comments.filter((each) => each.start >= start && each.end <= end)) {
    text += source.slice(at, comment.start);
    at = comment.end;
  }
  return (text + source.slice(at, end)).replaceAll(/[ \t]+$/gm, "").replaceAll(/\n{2,}/g, "\n");
}
