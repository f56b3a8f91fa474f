import { lstatSync, readdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import { Deadline, pause } from "../../base/deadline.ts";
import { trace } from "../../base/trace.ts";
import { removeIfThere } from "../../os/atomic-file.ts";
import { killTreeProven } from "../../os/kill-tree.ts";
import { isPrivate } from "../../os/private-directory.ts";
import { socketsAt } from "../../os/unix-sockets.ts";
import type { Connection } from "../../wire/connection.ts";
import { isGoneWithin } from "../is-gone-within.ts";
import { done, left, type Mended } from "../remedy.ts";
import { occupationOf } from "./occupation.ts";
import type { PluginBroker } from "./plugin-broker.ts";
import { logOf } from "./processes.ts";
import { doubtAbout, pidIn } from "./proof.ts";
import { readRecord, recordOf } from "./records.ts";

/** It ends its app-server first, which takes as long as the app-server's own end. */
const ENDS_WITHIN_MS = 10_000;
const KILLED_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 10;

/** Ends a broker of the published plugin that is proven to be one and proven to be idle, now. */
export async function endPluginBroker(broker: PluginBroker): Promise<Mended> {
  const { pid } = broker.identity;
  const doubt = doubtAbout(broker);
  if (doubt !== undefined) return left(doubt);
  // Afterwards nothing tells any more what was its own.
  const log = logOf(pid);
  const record = recordOf(broker);
  const occupation = await occupationOf(broker, askToEnd);
  if (occupation.state !== "idle") return left(occupation.why);
  const polite = await isGoneWithin(broker.identity, ENDS_WITHIN_MS);
  if (!polite) {
    // It was idle, and has been told to end: nobody is served by it any more.
    if (killTreeProven(broker.identity) === "unproven") return left("it got no signal: no proof");
    if (!(await isGoneWithin(broker.identity, KILLED_WITHIN_MS))) {
      return left(`process ${pid} does not end: the kernel holds it`);
    }
  }
  await untilNobodyListens(broker.socket);
  removeFilesOf(broker, log, record);
  return done(polite ? `asked process ${pid} to end, and it has` : `ended process ${pid} by proof`);
}

/** Its answer comes before it has ended, or not at all if it hangs: what counts is its end. */
async function askToEnd(connection: Connection): Promise<void> {
  await connection
    .request("broker/shutdown", {}, { deadline: Deadline.after(ENDS_WITHIN_MS) })
    .catch((error: unknown) => trace("info", "doctor.noAnswer", { error: String(error) }));
}

/** A process is gone with its main thread; its other threads may hold the socket a moment longer. */
async function untilNobodyListens(socket: string): Promise<void> {
  const deadline = Deadline.after(KILLED_WITHIN_MS);
  while (socketsAt(socket)?.listener !== undefined && !deadline.expired) await pause(LOOK_AGAIN_MS);
}

/** Of the files that its own command line and descriptors named, those that still are its own. */
function removeFilesOf(
  { identity, socket, pidFile }: PluginBroker,
  log: string | undefined,
  record: string | undefined,
): void {
  const directory = path.dirname(pidFile);
  // In a directory that others can write to, a name proves nothing.
  if (isPrivate(directory)) {
    if (path.dirname(socket) === directory && isDeadSocket(socket)) removeIfThere(socket);
    if (pidIn(pidFile) === identity.pid) removeIfThere(pidFile);
    if (log !== undefined && path.dirname(log) === directory) removeIfThere(log);
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  }
  if (record === undefined) return;
  const now = readRecord(record);
  if (now?.pid === identity.pid && now.socket === socket) removeIfThere(record);
}

function isDeadSocket(file: string): boolean {
  try {
    return lstatSync(file).isSocket() && socketsAt(file)?.listener === undefined;
  } catch {
    return false;
  }
}
