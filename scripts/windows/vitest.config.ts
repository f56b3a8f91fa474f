import { defineConfig } from "vitest/config";
import { buildConstants } from "../constants.mjs";

/** What differs between systems, and the main job from end to end. The rest is the same code everywhere. */
const include = [
  "test/support/leak-watch.test.ts",
  "test/os/**/*.test.ts",
  "test/wire/local-endpoint.test.ts",
  "test/lifecycle/{epoch-file,state-directory,spawn-broker}.test.ts",
  "test/lifecycle/ensure.codex.test.ts",
  "test/app-server/{console,stop-ladder,shim-start.codex,stop-ladder.codex}.test.ts",
  "test/broker/own-job.codex.test.ts",
  "test/client/{turn,loss,rotation}.codex.test.ts",
  "test/cli/{proxy,run,stop}.codex.test.ts",
];

export default defineConfig({
  define: buildConstants(),
  test: {
    name: "windows",
    include,
    pool: "forks",
    maxWorkers: 1,
    // Every file operation is a question to another process, and the machine may be busy.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
