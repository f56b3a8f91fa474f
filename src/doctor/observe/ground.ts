import { accessSync, constants, lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import path from "node:path";
import { asBrokerError, errnoOf, messageOf } from "../../base/errors.ts";
import { listScopes } from "../../lifecycle/census.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import { provesUnused } from "../../lifecycle/evidence.ts";
import { ownerOfSocket } from "../../lifecycle/socket-owner.ts";
import { formatDirectory, stateDirectory } from "../../lifecycle/state-directory.ts";
import { UNFINISHED } from "../../os/atomic-file.ts";
import {
  CURRENT_NAME,
  SOCKET_NAME,
  socketDirectories,
  socketDirectoryFor,
  socketName,
} from "../../os/endpoint.ts";
import { dangerOf, isPrivate } from "../../os/private-directory.ts";
import type { Liveness } from "../../os/process-identity.ts";
import type {
  DirectorySeen,
  GroundSeen,
  LinkSeen,
  PlaceSeen,
  ScopeSeen,
  SocketSeen,
  StateDirSeen,
  UnfinishedSeen,
} from "../observations.ts";
import { reach } from "./reach.ts";

const FORMAT_NAME = /^v\d+$/;

export function observeStateDir(env: NodeJS.ProcessEnv): StateDirSeen {
  try {
    return { state: "chosen", ...stateDirectory(env) };
  } catch (thrown) {
    return { state: "refused", error: asBrokerError(thrown, "stateDirUnusable").toJSON() };
  }
}

/** Those that are there, from the outermost inwards. */
export function observeDirectories(stateDir: string): DirectorySeen[] {
  const outer = [stateDir, formatDirectory(stateDir)];
  const scopes = outer.every(isPrivate) ? scopeDirectories(stateDir) : [];
  // Of the places for sockets only the one that is used can keep a broker from starting.
  const used = process.platform === "win32" ? undefined : placeIn(stateDir).used;
  const all = [...outer, ...scopes, ...(used === undefined ? [] : [used])];
  return all.flatMap(directorySeen);
}

function scopeDirectories(stateDir: string): string[] {
  try {
    return listScopes(stateDir).map(({ directory }) => directory);
  } catch {
    // What is wrong with the directory around them is found there.
    return [];
  }
}

function directorySeen(where: string): DirectorySeen[] {
  try {
    if (lookAt(where) === undefined) return [];
    const danger = dangerOf(where);
    if (danger !== undefined) return [{ path: where, danger }];
    accessSync(where, constants.R_OK | constants.W_OK | constants.X_OK);
    return [{ path: where }];
  } catch (error) {
    return [{ path: where, unusable: messageOf(error) }];
  }
}

/** What no living broker needs any more. Only directories that are ours alone are looked into. */
export async function observeGround(
  stateDir: StateDirSeen,
  directories: readonly DirectorySeen[],
  scopes: readonly ScopeSeen[],
): Promise<GroundSeen> {
  const nothing = { otherFormats: [], place: undefined, sockets: [], links: [], unfinished: [] };
  if (stateDir.state === "refused") return { stateDir, directories, ...nothing };
  const files = process.platform === "win32" ? [] : socketDirectories(stateDir.path);
  const socketFiles = files.filter(isPrivate).flatMap(filesIn);
  const scopeFiles = scopes.flatMap(({ directory }) => filesIn(directory));
  return {
    stateDir,
    directories,
    otherFormats: otherFormatsIn(stateDir.path),
    place: process.platform === "win32" ? undefined : placeIn(stateDir.path),
    sockets: await observeSockets(stateDir.path, socketFiles, scopes),
    links: await observeLinks(stateDir.path, socketFiles, scopes),
    unfinished: [...socketFiles, ...scopeFiles].flatMap(unfinishedSeen),
  };
}

function otherFormatsIn(stateDir: string): string[] {
  const ours = formatDirectory(stateDir);
  return filesIn(stateDir).filter((file) => FORMAT_NAME.test(path.basename(file)) && file !== ours);
}

/** For a broker of ordinary numbers: the name may grow by some digits, and the budget has room for them. */
function placeIn(stateDir: string): PlaceSeen {
  const name = socketName({ shortKey: "0".repeat(12), epoch: 100, instance: "0".repeat(6) });
  return {
    preferred: socketDirectories(stateDir)[0] ?? "",
    used: socketDirectoryFor(stateDir, name),
  };
}

async function observeSockets(
  stateDir: string,
  files: readonly string[],
  scopes: readonly ScopeSeen[],
): Promise<SocketSeen[]> {
  // That of one that is gone goes with its obituary.
  const spokenFor = new Set(recordsWithoutEnd(scopes).map(({ record }) => record.endpoint));
  const seen = files
    .filter((file) => SOCKET_NAME.test(path.basename(file)) && !spokenFor.has(file))
    .map(async (file) => {
      const stats = lookAt(file);
      if (stats === undefined || !stats.isSocket() || !isOurs(stats)) return [];
      // The records are asked first, and the socket only when none leads there.
      const unused = ownerOfSocket(stateDir, file) === "unused" && provesUnused(await reach(file));
      return [{ path: file, ageMs: ageOf(stats), unused }];
    });
  return (await Promise.all(seen)).flat();
}

async function observeLinks(
  stateDir: string,
  files: readonly string[],
  scopes: readonly ScopeSeen[],
): Promise<LinkSeen[]> {
  const living = recordsWithoutEnd(scopes).filter(({ broker }) => broker !== "gone");
  const kept = new Set(living.map(({ record }) => record.current));
  const seen = files
    .filter((file) => CURRENT_NAME.test(path.basename(file)) && !kept.has(file))
    .map(async (file) => {
      const target = linkTarget(file);
      if (target === undefined) return [];
      const unused = ownerOfSocket(stateDir, file) === "unused";
      return [{ path: file, target, dangling: unused && provesUnused(await reach(target)) }];
    });
  return (await Promise.all(seen)).flat();
}

interface Unended {
  readonly record: ServingRecord;
  readonly broker: Liveness;
}

function recordsWithoutEnd(scopes: readonly ScopeSeen[]): Unended[] {
  return scopes.flatMap(({ epochs }) =>
    epochs.flatMap(({ reading, serving }) =>
      reading.state === "read" && reading.record.state === "serving"
        ? [{ record: reading.record, broker: serving?.broker ?? "unknown" }]
        : [],
    ),
  );
}

function unfinishedSeen(file: string): UnfinishedSeen[] {
  if (!UNFINISHED.test(file)) return [];
  const stats = lookAt(file);
  return stats === undefined || !isOurs(stats) ? [] : [{ path: file, ageMs: ageOf(stats) }];
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => path.join(directory, name));
  } catch {
    // It is not there, or what is wrong with it is found elsewhere.
    return [];
  }
}

function linkTarget(file: string): string | undefined {
  try {
    return readlinkSync(file);
  } catch {
    return undefined;
  }
}

/** Undefined when there is nothing of that name. */
function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isOurs({ uid }: Stats): boolean {
  return uid === (process.geteuid?.() ?? uid);
}

function ageOf({ mtimeMs }: Stats): number {
  return Math.max(0, Date.now() - mtimeMs);
}
