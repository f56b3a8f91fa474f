import { buildConstants, root } from "./constants.mjs";

/**
 * What holds for every bundle: of the package, of the plugin and of what the tests start. All are of the
 * same build.
 * @returns {import("esbuild").BuildOptions}
 */
export function bundleSettings() {
  return {
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    define: buildConstants(),
    logLevel: "warning",
  };
}

/** The command line: what is asked often is a program of its own, and the first one tells which is meant. */
export const commandLine = {
  cli: "src/cli/main.ts",
  "quick/call": "src/cli/quick/call.ts",
  "quick/ensure": "src/cli/quick/ensure.ts",
  "quick/env": "src/cli/quick/env.ts",
  "quick/status": "src/cli/quick/status.ts",
};

/**
 * What is started often is one file, because each more costs a start about a millisecond, and CommonJS:
 * Node's loader of modules takes some 8 ms and 2 MiB before the first line.
 * @returns {import("esbuild").BuildOptions}
 */
export function programSettings() {
  const settings = bundleSettings();
  return {
    ...settings,
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    define: {
      ...settings.define,
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
    },
  };
}
