import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { realCodex } from "./real-codex.ts";
import type { Finished } from "./node-process.ts";

/** What a host may keep from the programs that it runs. */
export interface Denials {
  /** Calls of the system that fail with EPERM, as a seccomp filter makes them. */
  readonly calls?: ReadonlyArray<keyof typeof CALLS>;
  /** Paths that cannot be written to. */
  readonly readOnly?: readonly string[];
  /** Nothing is known about processes. */
  readonly noProc?: boolean;
  /** A /tmp of its own for this one call, with these paths of the real one in it. */
  readonly ownTmp?: readonly string[];
  /** No sandbox can be set up within. */
  readonly noNamespaces?: boolean;
}

/** The bubblewrap that comes with Codex: the one of a distribution, where there is any, may lack what it needs. */
const BWRAP = join(dirname(dirname(realCodex().native)), "codex-resources", "bwrap");

const CALLS = {
  socket: { x64: 41, arm64: 198 },
  connect: { x64: 42, arm64: 203 },
  bind: { x64: 49, arm64: 200 },
} as const;

/** As the kernel numbers them, and what a filter may answer. */
const ARCHITECTURES: Readonly<Record<string, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;

/** Why no sandbox can be had here, or undefined when one can. */
export const noSandbox: string | undefined = reasonAgainst();

/** Runs a program in a sandbox of that kind to its end. */
export async function runSandboxed(
  denials: Denials,
  line: readonly [file: string, ...args: string[]],
  options: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly filterFile: string },
): Promise<Finished> {
  const calls = denials.calls ?? [];
  writeFileSync(options.filterFile, filterOf(calls));
  const filter = openSync(options.filterFile, "r");
  const child = spawn(BWRAP, [...optionsOf(denials), "--seccomp", "3", "--", ...line], {
    env: options.env,
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe", filter],
  });
  closeSync(filter);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
    exited,
  ]);
  return { code, stdout, stderr };
}

function optionsOf({ readOnly, noProc, ownTmp, noNamespaces }: Denials): string[] {
  return [
    "--dev-bind",
    "/",
    "/",
    ...(ownTmp === undefined ? [] : ["--tmpfs", "/tmp"]),
    ...(ownTmp ?? []).flatMap((path) => ["--bind", path, path]),
    ...(readOnly ?? []).flatMap((path) => ["--ro-bind", path, path]),
    ...(noProc === true ? ["--tmpfs", "/proc"] : []),
    ...(noNamespaces === true ? ["--unshare-user", "--disable-userns"] : []),
  ];
}

/** A program for the kernel's filter: load the architecture, load the call, compare, answer. */
function filterOf(calls: ReadonlyArray<keyof typeof CALLS>): Buffer {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const numbers = calls.map((call) => CALLS[call][arch]);
  const instructions = [
    [0x20, 0, 0, 4],
    [0x15, 0, numbers.length + 1, ARCHITECTURES[arch] ?? 0],
    [0x20, 0, 0, 0],
    ...numbers.map((number, index) => [0x15, numbers.length - index, 0, number]),
    [0x06, 0, 0, ALLOW],
    [0x06, 0, 0, EPERM],
  ];
  const program = Buffer.alloc(instructions.length * 8);
  for (const [
    index,
    [code = 0, whenTrue = 0, whenFalse = 0, operand = 0],
  ] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(whenTrue, index * 8 + 2);
    program.writeUInt8(whenFalse, index * 8 + 3);
    program.writeUInt32LE(operand, index * 8 + 4);
  }
  return program;
}

function reasonAgainst(): string | undefined {
  if (!(process.arch in ARCHITECTURES)) return `no filter is written for ${process.arch}`;
  if (!existsSync(BWRAP)) return "this codex brings no bubblewrap";
  const { status, stderr } = spawnSync(BWRAP, ["--dev-bind", "/", "/", "true"], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : `bubblewrap cannot be used: ${stderr}`;
}
