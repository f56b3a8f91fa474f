// Bundles the histories of test/histories, which are TypeScript, and carries them out.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

const outdir = await bundlePrograms("histories", { main: "test/histories/main.ts" });
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
