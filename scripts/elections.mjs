// Bundles the elections of test/elections, which are TypeScript, and holds them.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { buildConstants, root } from "./constants.mjs";

const outdir = join(root, "build/elections");
await build({
  absWorkingDir: root,
  entryPoints: { main: "test/elections/main.ts", claimant: "test/elections/claimant.ts" },
  outdir,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  // What is started from here is of the same build as what is in dist.
  define: buildConstants(),
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
});
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
