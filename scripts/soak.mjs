// Bundles the soak of test/soak, which is TypeScript, and carries it out.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";

const outdir = await bundlePrograms("soak", { main: "test/soak/main.ts" });
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2)));
