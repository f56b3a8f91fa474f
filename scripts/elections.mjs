// Bundles the elections of test/elections, which are TypeScript, and holds them.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

const outdir = await bundlePrograms("elections", {
  main: "test/elections/main.ts",
  claimant: "test/elections/claimant.ts",
});
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
