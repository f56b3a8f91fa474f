import { defineConfig } from "vitest/config";
import { buildConstants } from "../constants.mjs";

/** What differs between systems. The rest is the same code everywhere. */
const include = ["test/{os,wire,app-server,lifecycle,client,cli,broker,jobs,base}/**/*.test.ts"];

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
