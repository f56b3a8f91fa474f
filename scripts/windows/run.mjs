// Runs what differs between systems in a Windows Node under Wine, with the real codex.exe: npm run test:windows.
//
//   npm run test:windows -- [--set-up] [--node 20,24] [--short] [FILTER]...
//
// `--set-up` installs what it needs first (scripts/windows/setup.sh). Without Wine it says SKIPPED, and fails only
// where CI is set or it was told to set up. `--short` leaves out the suites of whole brokers and their clients.
// FILTERs are parts of file names; then there is no least number of tests.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { root as project } from "../constants.mjs";

/** So many have to run in each Node: a suite that is not found any more is no success. Raise it with the suites. */
const LEAST_TESTS = 205;
const SHORT = ["test/os", "test/wire", "test/lifecycle", "test/app-server", "test/client/turn"];
const LEAST_SHORT_TESTS = 150;
const LIMIT_S = 900;
/** Wine's own server has crashed: whatever runs hangs from then on, and nothing is learnt of this project. */
const WINE_CRASHED = 99;
const WINE_TRIES = 3;
const PER_PUSH = "20,24";

const place = process.env["CODEX_BROKER_WINE"] ?? join(homedir(), ".cache", "codex-broker-windows");
const root = join(place, "root");
const work = join(root, "w", "project");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "set-up": { type: "boolean", default: false },
    node: { type: "string", default: PER_PUSH },
    short: { type: "boolean", default: false },
    // Two at once would share one Windows.
    locked: { type: "boolean", default: false },
  },
});
const lines = values.node.split(",");
const filters = values.short ? SHORT : positionals;
const least = values.short ? LEAST_SHORT_TESTS : filters.length === 0 ? LEAST_TESTS : 1;

process.exitCode = main();

function main() {
  if (values["set-up"] && !values.locked) {
    const script = fileURLToPath(new URL("setup.sh", import.meta.url));
    const { status } = spawnSync(script, lines, { stdio: "inherit" });
    if (status !== 0) return 1;
  }
  const missing = whatIsMissing();
  if (missing !== undefined) {
    console.log(`SKIPPED: ${missing}`);
    return process.env["CI"] === undefined && !values["set-up"] ? 0 : 1;
  }
  if (!values.locked) return runLocked();
  copyProject();
  return versions().map(runWith).every(Boolean) ? 0 : 1;
}

function runLocked() {
  const self = fileURLToPath(import.meta.url);
  const again = [process.execPath, self, "--locked", ...process.argv.slice(2)];
  return runBound(["flock", "--no-fork", join(place, "lock"), ...again]) ?? 1;
}

/**
 * Runs it to its end, which is also that of this process, however that ends.
 * @param {string[]} command
 */
function runBound(command) {
  return spawnSync("setpriv", ["--pdeathsig", "KILL", ...command], { stdio: "inherit" }).status;
}

/** @returns {string | undefined} */
function whatIsMissing() {
  if (process.platform !== "linux" || process.arch !== "x64") return "Wine is run on Linux, x86-64";
  if (process.getuid?.() !== 0) return "needs root, for chroot and mount";
  const done = join(place, "done");
  const there = existsSync(done) ? readdirSync(done) : [];
  const lock = readFileSync(join(project, "package-lock.json"));
  const dependencies = `dependencies-${createHash("sha256").update(lock).digest("hex").slice(0, 16)}`;
  const nodes = lines.map((line) => `node-${line}.`);
  for (const step of ["debian", "wine", "prefix", ...nodes, dependencies]) {
    if (there.some((mark) => mark.startsWith(step))) continue;
    return `not all of Wine is in ${place}; \`scripts/windows/setup.sh ${lines.join(" ")}\` installs it`;
  }
  return undefined;
}

function versions() {
  const there = readdirSync(join(root, "node"));
  return lines.flatMap((line) => there.find((version) => version.startsWith(`${line}.`)) ?? []);
}

/** Windows programs get a copy: what they write stays theirs. */
function copyProject() {
  spawnSync(process.execPath, [join(project, "scripts", "build.mjs")], { stdio: "inherit" });
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const name of [
    "src",
    "test",
    "scripts",
    "dist",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
  ]) {
    cpSync(join(project, name), join(work, name), { recursive: true });
  }
}

/**
 * A Windows Node cannot write to a pipe of Linux, so the words go to a file. In a pid namespace of its
 * own nothing is left when the time is over, Wine's server included.
 * @param {string} version
 */
function runWith(version) {
  const started = performance.now();
  const node = ["Z:", "node", version, "bin", "node.exe"].join("\\");
  writeFileSync(
    join(root, "w", "run.sh"),
    `mount -t proc proc /proc; . /wine.env; cd /w/project
timeout -k 5 ${LIMIT_S} wine64 '${node}' ../node_modules/vitest/vitest.mjs run --config scripts/windows/vitest.config.ts \\
  --reporter=default --reporter=json --outputFile.json=report.json ${filters.join(" ")} >words.txt 2>&1 </dev/null &
while kill -0 $! 2>/dev/null; do
  grep -qs '^wineserver crashed' words.txt && exit ${WINE_CRASHED}
  sleep 1
done
wait $!
`,
  );
  const wine = ["unshare", "-m", "-p", "-f", "--kill-child", "chroot", root];
  const command = [...wine, "env", "-i", "NO_COLOR=1", "sh", "/w/run.sh"];
  let status = runBound(command);
  for (let crashes = 1; status === WINE_CRASHED && crashes < WINE_TRIES; crashes += 1) {
    console.log("Wine's own server has crashed: once more.");
    status = runBound(command);
  }
  const report = readReport();
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`\nNode ${version} (win32-x64) under Wine, ${seconds} s\n`);
  if (report !== undefined) printTable(report);
  if (report === undefined || status !== 0) {
    console.log(readFileSync(join(work, "words.txt"), "utf8"));
    return false;
  }
  if (report.numPassedTests >= least) return true;
  console.log(`FAILED: ${report.numPassedTests} tests ran, which is less than ${least}.`);
  return false;
}

/**
 * @typedef {{ status: string }} Outcome
 * @typedef {{ name: string, assertionResults: Outcome[] }} Suite
 * @typedef {{ numPassedTests: number, testResults: Suite[] }} Report
 */

/** @returns {Report | undefined} */
function readReport() {
  const path = join(work, "report.json");
  if (!existsSync(path)) return undefined;
  const report = JSON.parse(readFileSync(path, "utf8"));
  rmSync(path);
  return report;
}

/** @param {Report} report */
function printTable({ testResults }) {
  console.log("| suite | passed | failed | skipped |\n|---|---|---|---|");
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, assertionResults } of testResults.toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const passed = assertionResults.filter(({ status }) => status === "passed").length;
    const failed = assertionResults.filter(({ status }) => status === "failed").length;
    const skipped = assertionResults.length - passed - failed;
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    const suite = name.replaceAll("\\", "/").replace(/^.*\/project\/test\//, "");
    console.log(`| ${suite} | ${passed} | ${failed} | ${skipped} |`);
  }
  console.log(`| all | ${sum.passed} | ${sum.failed} | ${sum.skipped} |`);
}
