import { readdirSync, readlinkSync } from "node:fs";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { removeIfThere, UNFINISHED } from "../os/atomic-file.ts";
import { readEpoch, type ServingRecord } from "./epoch-file.ts";

const EPOCH_OF_FILE = /^(\d+)\.json\./;
const EPOCH_OF_SOCKET = /^[0-9a-f]+\.(\d+)\.[0-9a-f]{6}\.sock$/;

/**
 * Removes what killed processes have left of the epochs before this one: files and links that were
 * never finished, and sockets that no record leads to. Their names say whose they are. One whose owner
 * only sleeps is missed by nobody: superseded as it is, it leaves as soon as it wakes up.
 */
export function clearLeftOvers(scopeDir: string, current: ServingRecord): void {
  const isOver = (epoch: number): boolean =>
    epoch < current.epoch && !mayBeServing(scopeDir, epoch);
  const runDir = path.dirname(current.endpoint);
  const ofScope = `${path.basename(current.endpoint).split(".", 1)[0] ?? ""}.`;

  for (const name of namesIn(scopeDir)) {
    const epoch = Number(EPOCH_OF_FILE.exec(name)?.[1]);
    if (UNFINISHED.test(name) && isOver(epoch)) remove(path.join(scopeDir, name));
  }
  // Where endpoints are no files, there is no fixed path either.
  if (current.current === null) return;
  for (const name of namesIn(runDir)) {
    if (!name.startsWith(ofScope)) continue;
    const file = path.join(runDir, name);
    const socket = UNFINISHED.test(name) ? path.basename(targetOf(file)) : name;
    if (isOver(Number(EPOCH_OF_SOCKET.exec(socket)?.[1]))) remove(file);
  }
}

/** Of a file that cannot be read nothing is known. */
function mayBeServing(scopeDir: string, epoch: number): boolean {
  const reading = readEpoch(scopeDir, epoch);
  return reading?.state !== "read" || reading.record.state === "serving";
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

function remove(file: string): void {
  if (removeIfThere(file)) trace("info", "leftOvers.removed", { file });
}
