// Bundles the package into dist, the programs once more into the plugin, and the demo into build. `npm run build` adds the declarations.
// Every run-time dependency is bundled, so that the published package has none.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { builtins } from "./builtins.mjs";
import { bundlePrograms } from "./bundle-program.mjs";
import { bundleSettings, commandLine, programSettings } from "./bundle-settings.mjs";
import { root } from "./constants.mjs";

const shebang = "#!/usr/bin/env node";

/** @type {import("esbuild").BuildOptions} */
const common = {
  plugins: [builtins],
  legalComments: "none",
  metafile: true,
  write: false,
};

/** A CommonJS dependency calls `require` for Node's own modules; a module has none by itself. */
const withRequire = {
  js: 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);',
};

/**
 * Leaves the program of all commands out of the quick ones, to be loaded from a file of its own.
 * @type {import("esbuild").Plugin}
 */
const wholeApart = {
  name: "whole-apart",
  setup({ onResolve }) {
    onResolve({ filter: /\/whole\.ts$/ }, ({ path }) => ({
      path: path.replace(/\.ts$/, ".js"),
      external: true,
    }));
  },
};

const programs = [
  {
    ...programSettings(),
    entryPoints: commandLine,
    plugins: [builtins, wholeApart],
  },
  { ...programSettings(), entryPoints: { broker: "src/broker/main.ts" } },
  { ...programSettings(), entryPoints: { "watchdog-thread": "src/broker/watchdog-thread.ts" } },
  {
    ...bundleSettings(),
    entryPoints: { whole: "src/cli/whole.ts" },
    banner: withRequire,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  },
];
const inputs = await bundle("dist", [
  ...programs,
  { ...bundleSettings(), entryPoints: { index: "src/index.ts" } },
]);
replaceIfChanged(join(root, "dist/THIRD_PARTY_LICENSES.txt"), Buffer.from(licenses(inputs)));

// For whoever wants to check a review by itself.
const schema = "review.schema.json";
replaceIfChanged(join(root, "dist", schema), readFileSync(join(root, "src/cli/review", schema)));
replaceIfChanged(join(root, "dist/codex-broker.1"), Buffer.from(await manPage()));

removeStaleDeclarations();

// A host copies the plugin's folder and nothing else, so it holds the programs once more.
await bundle("plugin/program", programs);
replaceIfChanged(
  join(root, "plugin/program/THIRD_PARTY_LICENSES.txt"),
  Buffer.from(licenses(inputs)),
);
replaceIfChanged(join(root, "plugin/program/package.json"), Buffer.from('{ "type": "module" }\n'));

await bundle("build", [{ ...bundleSettings(), entryPoints: { demo: "demo/main.ts" } }]);

/** The table of commands is TypeScript, and so is what writes the page from it. */
async function manPage() {
  const outdir = await bundlePrograms("man", { "man-page": "scripts/man-page.ts" });
  const { manPageOf } = await import(pathToFileURL(join(outdir, "man-page.js")).href);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return manPageOf(version);
}

/**
 * @param {string} folder
 * @param {import("esbuild").BuildOptions[]} programs
 * @returns {Promise<string[]>} what went into them.
 */
async function bundle(folder, programs) {
  const outdir = join(root, folder);
  const results = await Promise.all(
    programs.map((program) => build({ ...common, ...program, outdir })),
  );
  const written = new Set();
  for (const file of results.flatMap(({ outputFiles }) => outputFiles ?? [])) {
    written.add(file.path);
    if (basename(file.path) === "cli.cjs") {
      const contents = Buffer.concat([Buffer.from(`${shebang}\n`), file.contents]);
      replaceIfChanged(file.path, contents, 0o755);
    } else {
      replaceIfChanged(file.path, file.contents);
    }
  }
  removeStale(outdir, written);
  return results.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}));
}

/**
 * Renamed into place, and only where something changed: a program that runs from dist meanwhile
 * never reads half a file.
 * @param {string} path
 * @param {Uint8Array} contents
 * @param {number} [mode]
 */
function replaceIfChanged(path, contents, mode = 0o644) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, contents);
  chmodSync(aside, mode);
  renameSync(aside, path);
}

/**
 * Removes bundles of an earlier build that this one did not write.
 * @param {string} outdir
 * @param {Set<string>} written
 */
function removeStale(outdir, written) {
  for (const folder of [outdir, join(outdir, "chunks"), join(outdir, "quick")]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (/\.c?js$/.test(name) && !written.has(path)) rmSync(path);
    }
  }
}

/** Removes declarations of sources that have gone; `tsc` only ever adds. */
function removeStaleDeclarations() {
  const types = join(root, "dist/types");
  if (!existsSync(types)) return;
  for (const name of readdirSync(types, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".d.ts")) continue;
    if (!existsSync(join(root, "src", name.replace(/\.d\.ts$/, ".ts")))) rmSync(join(types, name));
  }
}

/**
 * The licence texts of all packages that went into the bundles.
 * @param {string[]} paths
 */
function licenses(paths) {
  const packages = new Set(
    paths.map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? ""),
  );
  packages.delete("");
  const parts = [...packages].toSorted().map((path) => {
    const folder = join(root, path);
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    if (!file) throw new Error(`${relative(root, folder)} is bundled but has no licence file`);
    const text = readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  const intro = "The programs in this folder contain the following packages.\n";
  return [intro, ...parts].join(`\n${"-".repeat(80)}\n\n`);
}
