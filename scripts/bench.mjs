// Bundles the benchmarks of bench, which are TypeScript, with the programs that they compare with, and runs them.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

// Where it is set, Node reads those certificates at every start and takes three times as long for it: on such a machine
// whatever has a Node of its own to start would seem to cost nothing on top.
delete process.env["NODE_EXTRA_CA_CERTS"];

const outdir = await bundlePrograms("bench", {
  main: "bench/main.ts",
  model: "bench/programs/model.ts",
  echo: "bench/programs/echo.ts",
  "echo-client": "bench/programs/echo-client.ts",
  "fan-out": "bench/programs/fan-out.ts",
});
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
