// Runs the suites that differ between systems with a Windows Node under Wine, and prints a table: npm run test:windows.
// `scripts/windows/setup.sh` installs what it needs. Without that it says SKIPPED, and fails only where CI is set.
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
import { root as project } from "../constants.mjs";

const LIMIT_S = 900;
const place = process.env["CODEX_BROKER_WINE"] ?? join(homedir(), ".cache", "codex-broker-windows");
const root = join(place, "root");
const work = join(root, "w", "project");

const missing = whatIsMissing();
if (missing === undefined) process.exitCode = runAll() ? 0 : 1;
else {
  console.log(`SKIPPED: ${missing}`);
  process.exitCode = process.env["CI"] === undefined ? 0 : 1;
}

/** @returns {string | undefined} */
function whatIsMissing() {
  if (process.platform !== "linux" || process.arch !== "x64") return "Wine is run on Linux, x86-64";
  if (process.getuid?.() !== 0) return "needs root, for chroot and mount";
  for (const path of ["usr/lib/wine/wine64", "prefix/ready", "w/node_modules/.installed"]) {
    if (!existsSync(join(root, path))) {
      return `no Wine in ${place} (${path} is not there); \`scripts/windows/setup.sh\` installs it`;
    }
  }
  return undefined;
}

function runAll() {
  copyProject();
  const versions = readdirSync(join(root, "node"));
  if (versions.length === 0) throw new Error(`no Node in ${root}/node`);
  return versions.map(runWith).every(Boolean);
}

/** Windows programs get a copy: what they write stays theirs. */
function copyProject() {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  for (const name of [
    "src",
    "test",
    "scripts",
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
  --reporter=default --reporter=json --outputFile.json=report.json >words.txt 2>&1 </dev/null
`,
  );
  const { status } = spawnSync(
    "unshare",
    ["-m", "-p", "-f", "--kill-child", "chroot", root, "env", "-i", "sh", "/w/run.sh"],
    { stdio: "inherit" },
  );
  const report = readReport();
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`\nNode ${version} (win32-x64) under Wine, ${seconds} s\n`);
  if (report === undefined) {
    console.log(readFileSync(join(work, "words.txt"), "utf8"));
    return false;
  }
  printTable(report);
  if (status !== 0) console.log(readFileSync(join(work, "words.txt"), "utf8"));
  return status === 0 && report.numPassedTests > 0;
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
