import { defineConfig } from "vitest/config";
import { buildConstants } from "./scripts/constants.mjs";

/** Suites that start the real codex or whole brokers: everything that is not a matter of seconds. */
const slow = ["test/e2e/**/*.test.ts", "test/**/contract.test.ts", "test/**/*.codex.test.ts"];

// The same constants as in dist: a client under test and the broker it starts are of one build.
const define = buildConstants();

const common = {
  pool: "forks",
  testTimeout: 20_000,
  hookTimeout: 30_000,
} as const;

export default defineConfig({
  test: {
    globalSetup: "test/global-setup.ts",
    maxWorkers: 2,
    teardownTimeout: 10_000,
    projects: [
      {
        define,
        test: { ...common, name: "unit", include: ["test/**/*.test.ts"], exclude: slow },
      },
      {
        define,
        test: { ...common, name: "codex", include: slow },
      },
    ],
  },
});
