// Bundles the strangers of test/stranger, which are TypeScript, and lets them take the pids of others:
// in a pid namespace of their own, once with koffi and once without.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { cpus, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundlePrograms } from "./bundle-program.mjs";
import { root } from "./constants.mjs";

/** A pid namespace that ends, with all who are in it, when this process does, however that ends. */
const NAMESPACE = ["--pdeathsig", "KILL", "unshare", "-Urpfm", "--kill-child", "--mount-proc"];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "200" },
    whole: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
  },
});
const outdir = await bundlePrograms("stranger", {
  main: "test/stranger/main.ts",
  tally: "test/stranger/tally.ts",
});

/** @type {import("../test/stranger/tally.ts").Row[]} */
const rows = [];
for (const hidden of [undefined, koffi()]) rows.push(...inNamespace(hidden));
const { tableOf, isGood } = await import(pathToFileURL(join(outdir, "tally.js")).href);
if (values.json) {
  console.log(JSON.stringify(rows));
} else {
  for (const detail of new Set(rows.flatMap(({ details }) => details))) console.error(detail);
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${type()} ${release()}, ${cpus().length} CPUs, ${memory} GiB, Node ${process.versions.node}`;
  console.log(`\n${machine}\n\n${tableOf(rows)}`);
}
process.exit(rows.every(isGood) ? 0 : 1);

/** @param {string | undefined} hidden a directory that is to look empty */
function inNamespace(hidden) {
  const command = [process.execPath, join(outdir, "main.js")];
  const options = ["--root", root, "--rounds", values.rounds, "--whole", values.whole];
  // A shell as process 1: it waits for the orphans that Node would leave as zombies. It must not be
  // replaced by its last command, hence the exit.
  const script = 'if [ -n "$1" ]; then mount -t tmpfs none "$1"; fi; shift; "$@"; exit $?';
  const args = ["/bin/sh", "-c", script, "sh", hidden ?? ""];
  const run = spawnSync("setpriv", [...NAMESPACE, ...args, ...command, ...options], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  const said = run.stdout === "" ? undefined : JSON.parse(run.stdout);
  if (said?.rows !== undefined) return said.rows;
  if (said === undefined && canUnshare()) throw new Error(`it ended with ${String(run.status)}`);
  console.error(`skipped: ${said?.skipped ?? "no namespace of our own is to be had here"}`);
  return [];
}

function canUnshare() {
  return spawnSync("setpriv", [...NAMESPACE, "true"]).status === 0;
}

/** Where the native calls come from, where they are installed. */
function koffi() {
  try {
    return dirname(createRequire(import.meta.url).resolve("koffi"));
  } catch {
    return undefined;
  }
}
