// Writes the import table (test/project/import-table.ts) into the overrides of .oxlintrc.json.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./constants.mjs";

const result = await build({
  entryPoints: [join(root, "test/project/import-table.ts")],
  bundle: true,
  format: "esm",
  platform: "node",
  write: false,
});
const code = result.outputFiles[0]?.text ?? "";
const { lintOverrides } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const path = join(root, ".oxlintrc.json");
const config = JSON.parse(readFileSync(path, "utf8"));
const others = config.overrides.filter(
  (/** @type {{rules: object}} */ { rules }) => !("no-restricted-imports" in rules),
);
writeFileSync(
  path,
  `${JSON.stringify({ ...config, overrides: [...others, ...lintOverrides()] }, null, 2)}\n`,
);
