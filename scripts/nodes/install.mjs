import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

const place = process.env["CODEX_BROKER_NODES"] ?? join(homedir(), ".cache", "codex-broker-nodes");

/**
 * Downloads that Node from npm, where it is a package of its own for each platform, unless it is here already.
 * @param {string} version
 * @returns {{ version: string, node: string, bin: string }}
 */
export function installNode(version) {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const folder = join(place, `${name}-${version}`);
  const bin = join(folder, "bin");
  const node = join(bin, process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(node)) download(`${name}@${version}`, folder);
  const said = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  if (said !== `v${version}`) throw new Error(`${node} says that it is ${said}`);
  return { version, node, bin };
}

/** Unpacked aside and renamed, so that what is there is whole. */
function download(/** @type {string} */ spec, /** @type {string} */ folder) {
  console.error(`${spec} from npm`);
  mkdirSync(place, { recursive: true });
  const aside = mkdtempSync(join(place, "aside-"));
  try {
    const packed = spawnSync("npm", ["pack", "--silent", spec], {
      cwd: aside,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      shell: process.platform === "win32",
    });
    if (packed.status !== 0) throw new Error(`npm pack ${spec} failed`);
    execFileSync("tar", ["-xzf", packed.stdout.trim()], { cwd: aside });
    renameSync(join(aside, "package"), folder);
  } finally {
    rmSync(aside, { recursive: true });
  }
}

/**
 * The environment in which programs that are started by name find that Node first.
 * @param {string} bin
 * @returns {NodeJS.ProcessEnv}
 */
export function withNodeFirst(bin) {
  return { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` };
}
