// Bundles the chaos of test/chaos, which is TypeScript, and lets it loose.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

const outdir = await bundlePrograms("chaos", {
  main: "test/chaos/main.ts",
  client: "test/chaos/client-program.ts",
});
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
