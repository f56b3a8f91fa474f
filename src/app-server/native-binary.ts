import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BrokerError, errnoOf } from "../base/errors.ts";
import { isVoltaShim, launchersNamedIn, packageRootsOfVolta } from "./launcher-shim.ts";
import { type Host, nativePackagesFor } from "./native-package.ts";

/** What is to be spawned for a codex that was found. */
export interface ResolvedBinary {
  /** Absolute. */
  readonly path: string;
  /** False for a script that starts codex as a process of its own: one process and some 60 ms more. */
  readonly native: boolean;
}

/** Enough for every shim: a pnpm one with a long NODE_PATH has about 3 KiB. */
const HEAD_BYTES = 8192;

/** ELF, Windows PE, and Mach-O in its byte orders, thin and universal. */
const PROGRAM_MAGIC = [
  "7f454c46",
  "4d5a",
  "cffaedfe",
  "cefaedfe",
  "feedfacf",
  "feedface",
  "cafebabe",
];

/**
 * From what a user calls `codex` to the program behind it: past npm's launcher, past the shims that
 * package managers put on PATH, to the native binary of the package for this platform.
 *
 * @throws BrokerError `codexUnusable` when it is neither a program nor a script that could be started
 *   without a shell.
 */
export function resolveNative(foundAs: string, host: Host): ResolvedBinary {
  const real = tryOr(() => realpathSync.native(foundAs), foundAs);
  const head = readHead(real);
  const script = startsScript(head) || (host.platform === "win32" && !startsProgram(head));
  for (const root of packageRoots(foundAs, real, script ? head.toString("utf8") : "")) {
    const native = nativeOf(root, host);
    if (native !== undefined) return { path: native, native: true };
  }
  if (startsProgram(head)) return program(foundAs, real);
  // `#!` is the kernel's business on POSIX; Windows would need a shell for it, and there is never one.
  if (startsScript(head) && host.platform !== "win32") return { path: foundAs, native: false };
  throw unusable(foundAs, host);
}

/**
 * A shim that serves many names by the one it was called by (Volta, mise) must keep that name; a link
 * to a file that is itself called codex-something may be followed.
 */
function program(foundAs: string, real: string): ResolvedBinary {
  const followed = basename(real) === basename(foundAs) || basename(real).includes("codex");
  return followed ? { path: real, native: true } : { path: foundAs, native: false };
}

/** Directories that are the package `@openai/codex`, as far as a launcher or shim points to one. */
function* packageRoots(foundAs: string, real: string, script: string): Generator<string> {
  if (basename(real) === "codex.js") yield dirname(dirname(real));
  // A shim names its target from where it lies, which need not be where a link to it lies.
  const places = [...new Set([dirname(foundAs), dirname(real)])];
  for (const launcher of places.flatMap((place) => launchersNamedIn(script, place))) {
    if (isFile(launcher)) yield dirname(dirname(realpathSync.native(launcher)));
  }
  if (!isVoltaShim(real, script)) return;
  yield* places
    .flatMap((place) => packageRootsOfVolta(place))
    .filter((root) => isFile(join(root, "package.json")));
}

/** Where Node would find the platform's package from inside `packageRoot`, then inside it as of old. */
function nativeOf(packageRoot: string, host: Host): string | undefined {
  for (const { name, files } of nativePackagesFor(host)) {
    for (const root of [...moduleDirectories(packageRoot, name), packageRoot]) {
      for (const file of files) {
        const path = join(root, file);
        if (isFile(path)) return tryOr(() => realpathSync.native(path), path);
      }
    }
  }
  return undefined;
}

/** `name` in every `node_modules` from `start` upwards, nearest first. */
export function* moduleDirectories(start: string, name: string): Generator<string> {
  for (let place = start; ; place = dirname(place)) {
    if (basename(place) !== "node_modules") yield join(place, "node_modules", name);
    if (dirname(place) === place) return;
  }
}

export function isFile(path: string): boolean {
  // Whatever keeps it from being looked at also keeps it from being run.
  return tryOr(() => statSync(path, { throwIfNoEntry: false })?.isFile() === true, false);
}

function readHead(path: string): Buffer {
  try {
    const descriptor = openSync(path, "r");
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      return head.subarray(0, readSync(descriptor, head, 0, HEAD_BYTES, 0));
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new BrokerError(
      "codexUnusable",
      `${path} cannot be read (${errnoOf(cause) ?? "unknown error"}).`,
      {
        cause,
        details: { codex: path },
      },
    );
  }
}

function startsProgram(head: Buffer): boolean {
  return PROGRAM_MAGIC.some(
    (magic) => head.subarray(0, magic.length / 2).toString("hex") === magic,
  );
}

function startsScript(head: Buffer): boolean {
  return head.subarray(0, 2).toString("latin1") === "#!";
}

function unusable(foundAs: string, host: Host): BrokerError {
  const packages = nativePackagesFor(host).map(({ name }) => name);
  const expected =
    packages.length === 0
      ? `and there is no codex for ${host.platform} on ${host.arch}`
      : `and ${packages.join(" or ")} is not installed where it points`;
  return new BrokerError(
    "codexUnusable",
    `${foundAs} is not a program that can be started directly, ${expected}.`,
    {
      details: { codex: foundAs, platform: host.platform, arch: host.arch },
      hint: "Reinstall it with `npm install -g @openai/codex`, or set CODEX_BROKER_CODEX to the native binary.",
    },
  );
}

function tryOr<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
