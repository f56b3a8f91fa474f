import { lstatSync, readlinkSync } from "node:fs";
import path from "node:path";
import { reach } from "../../doctor/observe/reach.ts";
import { provesUnused } from "../../lifecycle/evidence.ts";
import { ownerOfSocket } from "../../lifecycle/socket-owner.ts";
import { CURRENT_NAME, SOCKET_NAME, socketDirectories } from "../../os/endpoint.ts";
import { isPrivate } from "../../os/private-directory.ts";
import { namesIn, type Clearance } from "./clearance.ts";

/**
 * Removes sockets on which nobody listens, and fixed paths that lead to none. The directories outside of
 * the state directory are shared with other state directories: there only what is of these scopes goes.
 */
export async function clearSockets(
  stateDir: string,
  scopeKeys: readonly string[],
  clearance: Clearance,
): Promise<void> {
  const shortKeys = new Set(scopeKeys.map((key) => key.slice(0, 12)));
  for (const directory of socketDirectories(stateDir).filter(isPrivate)) {
    const isInside = path.dirname(directory) === stateDir;
    for (const name of namesIn(directory)) {
      const shortKey = shortKeyIn(name);
      if (shortKey === undefined || !(isInside || shortKeys.has(shortKey))) continue;
      await clearOne(stateDir, path.join(directory, name), clearance);
    }
    if (isInside || namesIn(directory).length === 0) clearance.directory(directory);
  }
}

const UNFINISHED_LINK = /^([0-9a-f]{12})\.current\.[0-9a-f]{12}\.tmp$/;

function shortKeyIn(name: string): string | undefined {
  return [SOCKET_NAME, CURRENT_NAME, UNFINISHED_LINK]
    .map((pattern) => pattern.exec(name)?.[1])
    .find((key) => key !== undefined);
}

async function clearOne(stateDir: string, file: string, clearance: Clearance): Promise<void> {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket() && !stats.isSymbolicLink()) {
    clearance.keep(file, "it has the name of a socket of ours and is none");
    return;
  }
  // A link that was never finished has a name of its own, which no record has.
  if (!UNFINISHED_LINK.test(path.basename(file)) && ownerOfSocket(stateDir, file) === "in use") {
    return clearance.keep(file, "the broker whose record leads there is not proven to be gone");
  }
  const reached = await reach(stats.isSocket() ? file : readlinkSync(file));
  if (provesUnused(reached)) return clearance.file(file);
  clearance.keep(
    file,
    reached === "accepted"
      ? "a process listens there"
      : `it is not known whether a process listens there (${reached})`,
  );
}
