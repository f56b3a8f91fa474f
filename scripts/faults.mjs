// Bundles the fault matrix of test/faults, with a broker and a client that can strike themselves, and
// brings the faults about.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundlePrograms, bundleStandIns } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

const outdir = await bundlePrograms("faults", {
  main: "test/faults/main.ts",
  client: "test/faults/client-program.ts",
});
await bundleStandIns("faults", {
  broker: "test/faults/broker-program.ts",
  "watchdog-thread": "src/broker/watchdog-thread.ts",
});
const { main } = await import(pathToFileURL(join(outdir, "main.js")).href);
process.exit(await main(process.argv.slice(2), root));
