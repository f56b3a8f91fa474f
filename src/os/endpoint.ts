import { randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import path from "node:path";
import { BrokerError } from "../base/errors.ts";
import { ensurePrivateDirectory, isPrivate } from "./private-directory.ts";

/**
 * Longest socket path that every supported system takes, in bytes (macOS has room for 103, Linux for
 * 107). Node 20 cuts a longer one silently and listens somewhere else, so it is refused before.
 */
export const MAX_SOCKET_PATH_BYTES = 100;

export interface Endpoint {
  /** What `net.listen` and `net.connect` take. */
  readonly address: string;
  /** A fixed path that follows rotations; null where the system has no symbolic links for it. */
  readonly current: string | null;
}

export interface EndpointNaming {
  readonly stateDir: string;
  readonly shortKey: string;
  readonly epoch: number;
  readonly instance: string;
}

/**
 * Chooses where a broker listens: the first private directory in which the name is short enough. A
 * name carries the instance, so none is ever used twice (closing a listener unlinks by name, whoever
 * holds the name by then).
 *
 * @throws BrokerError `socketPathTooLong`, `stateDirUnsafe` or `stateDirUnusable`.
 */
export function chooseEndpoint(naming: EndpointNaming): Endpoint {
  if (process.platform === "win32") {
    return {
      address: `\\\\.\\pipe\\codex-broker-${randomBytes(16).toString("hex")}`,
      current: null,
    };
  }
  const { shortKey, stateDir } = naming;
  const name = socketName(naming);
  const directory = socketDirectoryFor(stateDir, name);
  if (directory !== undefined) {
    ensurePrivateDirectory(directory);
    return {
      address: path.join(directory, name),
      current: path.join(directory, `${shortKey}.current`),
    };
  }
  const tried = socketDirectories(stateDir).map((each) => path.join(each, name));
  throw new BrokerError(
    "socketPathTooLong",
    `No directory for the socket is short enough: a path may have ${MAX_SOCKET_PATH_BYTES} bytes.`,
    { details: { tried } },
  );
}

/** How sockets of ours are called: by the scope's short key, the epoch and the instance. */
export const SOCKET_NAME = /^([0-9a-f]{12})\.([1-9]\d*)\.([0-9a-f]{6})\.sock$/;

/** How the fixed path of a scope is called. */
export const CURRENT_NAME = /^([0-9a-f]{12})\.current$/;

export function socketName({
  shortKey,
  epoch,
  instance,
}: Omit<EndpointNaming, "stateDir">): string {
  return `${shortKey}.${epoch}.${instance.slice(0, 6)}.sock`;
}

/** The first directory in which a socket of this name has a short enough path; undefined when there is none. */
export function socketDirectoryFor(stateDir: string, name: string): string | undefined {
  return socketDirectories(stateDir).find(
    (directory) => Buffer.byteLength(path.join(directory, name)) <= MAX_SOCKET_PATH_BYTES,
  );
}

/** In order of preference. TMPDIR is not among them: hosts change it per call, and cleaners empty it. */
export function socketDirectories(stateDir: string): string[] {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  const uid = process.getuid?.() ?? userInfo().uid;
  return [
    path.join(stateDir, "run"),
    // Under `su` and `sudo` it may still be the one of another user, or not be there at all.
    ...(runtime !== undefined && path.isAbsolute(runtime) && isPrivate(runtime)
      ? [path.join(runtime, "codex-broker")]
      : []),
    `/tmp/codex-broker-${uid}`,
  ];
}
