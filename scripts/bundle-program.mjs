// Programs of the tests that run as processes of their own are TypeScript, and Node runs JavaScript.
import { join } from "node:path";
import { build } from "esbuild";
import { buildConstants, root } from "./constants.mjs";

/**
 * Bundles them into a folder below `build`.
 * @param {string} folder
 * @param {Record<string, string>} entryPoints
 * @param {Pick<import("esbuild").BuildOptions, "define" | "plugins" | "splitting">} [options]
 * @returns {Promise<string>} that folder
 */
export async function bundlePrograms(folder, entryPoints, options = {}) {
  const outdir = join(root, "build", folder);
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    // What is started from here is of the same build as what is in dist.
    define: buildConstants(),
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
    },
    logLevel: "warning",
    ...options,
  });
  return outdir;
}
