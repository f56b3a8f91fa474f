// Packs the package, installs it in an empty directory and uses it with each Node: npm run test:package [-- 22 24].
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";
import { installNode } from "./nodes/install.mjs";
import { nodesMeantBy } from "./nodes/lines.mjs";

const nodes = nodesMeantBy(process.argv.slice(2)).map(installNode);
const outdir = await bundlePrograms("package", { main: "test/package/main.ts" });
const { trySmoke } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit((await trySmoke(root, nodes)) ? 0 : 1);
