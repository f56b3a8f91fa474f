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
    // A CommonJS dependency calls `require` for Node's own modules; a module has none by itself.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
    },
    logLevel: "warning",
  };
}
