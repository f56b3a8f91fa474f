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
