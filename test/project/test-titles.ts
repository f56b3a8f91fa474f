import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "oxc-parser";

const folder = fileURLToPath(new URL("..", import.meta.url));
const callers = new Set(["describe", "suite", "test", "it"]);

/** A title that a test file gives to a test or a group, with the place it stands at. */
export interface TestTitle {
  readonly file: string;
  readonly title: string;
  /** The test is switched off, or only announced. */
  readonly skipped: boolean;
}

/** The titles of all tests under `test`. */
export function testTitles(): TestTitle[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .toSorted()
    .flatMap((name) => titlesIn(name, readFileSync(path.join(folder, name), "utf8")));
}

/** The titles in the text of a test file. */
export function titlesIn(file: string, text: string): TestTitle[] {
  const { program } = parseSync(file, text);
  const found: TestTitle[] = [];
  new Visitor({
    CallExpression: (node) => {
      // `test("…")`, `test.each([…])("…")`, `describe.skipIf(…)("…")`: the name at the root decides.
      const names: string[] = [];
      let callee: typeof node.callee = node.callee;
      for (;;) {
        if (callee.type === "CallExpression") callee = callee.callee;
        else if (callee.type === "MemberExpression" && callee.object.type !== "Super") {
          if (callee.property.type === "Identifier") names.push(callee.property.name);
          callee = callee.object;
        } else break;
      }
      if (callee.type !== "Identifier" || !callers.has(callee.name)) return;
      const [first] = node.arguments;
      const title =
        first?.type === "Literal" && typeof first.value === "string"
          ? first.value
          : first?.type === "TemplateLiteral"
            ? first.quasis.map((part) => part.value.raw).join("…")
            : undefined;
      if (title === undefined) return;
      const skipped = names.some((name) => name === "skip" || name === "todo");
      found.push({ file, title, skipped });
    },
  }).visit(program);
  return found;
}

/** The requirements that a title names. */
export function idsIn(title: string): string[] {
  return [...title.matchAll(/\b(?:S\d{1,2}|F\d{2,3})\b/g)].map(([id]) => id);
}
