// Fails when the declarations that a user's program reads name a package that the user does not
// have: every run-time dependency is bundled, so none of them may show in the public types.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./constants.mjs";

const entry = join(root, "dist/types/index.d.ts");
const seen = new Set([entry]);
const foreign = [];

for (const file of seen) {
  const imports = readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"([\w@./:-]+)"/g);
  for (const [, specifier = ""] of imports) {
    if (specifier.startsWith("node:")) continue;
    if (!specifier.startsWith(".")) {
      foreign.push(`${relative(root, file)} imports ${specifier}`);
      continue;
    }
    const target = join(dirname(file), specifier.replace(/\.ts$/, ".d.ts"));
    if (existsSync(target)) seen.add(target);
    else foreign.push(`${relative(root, file)} imports ${specifier}, which was not emitted`);
  }
}

if (foreign.length > 0) {
  console.error(`Public types that a user cannot resolve:\n${foreign.join("\n")}`);
  process.exitCode = 1;
} else {
  console.log(`${seen.size} declaration files can be read without our dependencies`);
}
