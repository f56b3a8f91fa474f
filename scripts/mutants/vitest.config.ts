import { defineConfig, type Plugin } from "vitest/config";
import { buildConstants } from "../constants.mjs";

const slow = ["test/**/contract.test.ts", "test/**/*.codex.test.ts"];
/** These read the sources as text or start what was built of them: to them a mutant changes nothing. */
const others = ["project", "e2e", "bench", "plugin", "package"].map((each) => `test/${each}/**`);
const ofPrograms = [...others, "test/cli/bundle.test.ts"];
const codex = process.env["MUTANTS_PROJECT"] === "codex";

/** Stryker asks for threads, in which a test cannot change its directory or its user. */
const inProcesses: Plugin = {
  name: "in-processes",
  configureVitest({ project }) {
    project.config.pool = "forks";
  },
};

export default defineConfig({
  cacheDir: "build/cache",
  test: {
    cache: false,
    projects: [
      {
        define: buildConstants(),
        plugins: [inProcesses],
        test: {
          name: "mutants",
          include: codex ? slow : ["test/**/*.test.ts"],
          exclude: codex ? ofPrograms : [...ofPrograms, ...slow],
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
});
