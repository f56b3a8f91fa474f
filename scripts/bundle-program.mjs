// Programs of the tests that run as processes of their own are TypeScript, and Node runs JavaScript.
import { join } from "node:path";
import { build } from "esbuild";
import { bundleSettings, programSettings } from "./bundle-settings.mjs";
import { root } from "./constants.mjs";

/**
 * Bundles them into a folder below `build`.
 * @param {string} folder
 * @param {Record<string, string>} entryPoints
 * @returns {Promise<string>} that folder
 */
export async function bundlePrograms(folder, entryPoints) {
  const outdir = join(root, "build", folder);
  await build({
    ...bundleSettings(),
    entryPoints,
    outdir,
    // A CommonJS dependency calls `require` for Node's own modules; a module has none by itself.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
    },
  });
  return outdir;
}

/**
 * The same, for what stands in for a program of `dist`: a client in that folder finds it there by its name.
 * @param {string} folder
 * @param {Record<string, string>} entryPoints
 * @param {Pick<import("esbuild").BuildOptions, "define" | "plugins">} [options]
 * @returns {Promise<string>} that folder
 */
export async function bundleStandIns(folder, entryPoints, { define, plugins = [] } = {}) {
  const outdir = join(root, "build", folder);
  const settings = programSettings();
  await build({
    ...settings,
    entryPoints,
    outdir,
    define: { ...settings.define, ...define },
    plugins,
  });
  return outdir;
}
