import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";
import { EXAMPLE, IMPORTS, typeErrorsOf } from "./consumer.ts";

/** A Node to try the package with. */
export interface Node {
  readonly version: string;
  readonly node: string;
  /** The directory that it lies in. */
  readonly bin: string;
}

/** The package as it was installed, and a Node that is all there is on the PATH. */
interface Place {
  readonly installed: string;
  readonly node: Node;
  readonly world: World;
}

const LIMIT_MS = 120_000;

/**
 * Packs the package as it would be published, installs it in an empty directory and uses it there, with each Node.
 *
 * @returns whether all was well.
 */
export async function trySmoke(root: string, nodes: readonly Node[]): Promise<boolean> {
  await using dir = await makeTempDir();
  const tarball = pack(root, dir.path);
  const whole = await install(join(dir.path, "whole"), tarball, []);
  const bare = await install(join(dir.path, "bare"), tarball, ["--omit=optional"]);
  const rows: string[] = [];
  let well = true;
  const note = (node: string, installation: string, failed: readonly string[]): void => {
    well &&= failed.length === 0;
    rows.push(`| ${node} | ${installation} | ${failed.length === 0 ? "passed" : "FAILED"} |`);
    for (const each of failed) console.error(`Node ${node}, ${installation}: ${each}`);
  };
  note("–", "its types", typeErrorsOf(root, whole));
  for (const node of nodes) {
    note(node.version, "as it is", await use(whole, node));
    note(node.version, "without koffi", await use(bare, node));
  }
  console.log(`\n| Node | installed | |\n|---|---|---|\n${rows.join("\n")}`);
  return well;
}

function pack(root: string, into: string): string {
  const said = npm(root, ["pack", "--json", "--pack-destination", into]);
  const [packed] = JSON.parse(said.slice(said.indexOf("["))) as Array<{ filename: string }>;
  return join(into, packed?.filename ?? "");
}

async function install(
  where: string,
  tarball: string,
  options: readonly string[],
): Promise<string> {
  await mkdir(where);
  await writeFile(join(where, "package.json"), '{ "private": true, "type": "module" }\n');
  npm(where, ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...options, tarball]);
  if (existsSync(join(where, "node_modules/koffi")) === options.length > 0) {
    throw new Error(`koffi is ${options.length > 0 ? "" : "not "}in ${where}`);
  }
  return where;
}

function npm(cwd: string, args: readonly string[]): string {
  const shell = process.platform === "win32";
  return execFileSync("npm", args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    shell,
  });
}

/** @returns what went wrong. */
async function use(installed: string, node: Node): Promise<string[]> {
  await using world = await makeWorld();
  const place = { installed, node, world };
  const { version } = JSON.parse(
    await readFile(join(installed, "node_modules/codex-broker/package.json"), "utf8"),
  ) as { version: string };
  await writeFile(join(installed, "imports.js"), IMPORTS);
  await writeFile(join(installed, "example.js"), EXAMPLE);
  const steps = [
    [["--version"], version],
    [["status"], "no broker"],
    [["run", "-q", "say: hello from a turn"], "hello from a turn"],
    [["status", "--json"], `"node":"${node.version}"`],
    [["imports.js"], "BrokerError"],
    [["example.js"], "completed hello from a program"],
    [["uninstall", "--yes"], "nothing is left"],
  ] as const;
  const failed: string[] = [];
  for (const [args, wanted] of steps) {
    const { code, stdout, stderr } = await start(place, args);
    if (code === 0 && stdout.includes(wanted)) continue;
    failed.push(`\`${args.join(" ")}\` ended with ${String(code)}:\n${stdout}${stderr}`);
  }
  if (existsSync(world.stateDir)) failed.push(`${world.stateDir} is still there`);
  return failed;
}

interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program of the user's, or else the command. */
async function start({ installed, node, world }: Place, args: readonly string[]): Promise<Said> {
  const [file, ...words] =
    args[0]?.endsWith(".js") === true ? [node.node] : commandIn(installed, node);
  const child = spawn(file, [...words, ...args], {
    cwd: installed,
    // Nothing but Node: no npm, no git, no codex of the machine.
    env: { ...world.env, PATH: node.bin, PWD: installed },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT_MS,
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", (code) => resolve(code));
  });
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    exited,
  ]);
  return { code, stdout, stderr };
}

/** As a shell would start it. On Windows that is a script, which only a shell can start. */
function commandIn(installed: string, { node }: Node): [file: string, ...args: string[]] {
  return process.platform === "win32"
    ? [node, join(installed, "node_modules/codex-broker/dist/cli.cjs")]
    : [join(installed, "node_modules/.bin/codex-broker")];
}
