import { errnoOf, messageOf } from "../../base/errors.ts";
import { Deadline, pause } from "../../base/deadline.ts";
import { BROKER_VERSION } from "../../base/version.ts";
import { openSocket } from "../../lifecycle/contact.ts";
import { provenDescendants } from "../../os/kill-tree.ts";
import { socketsAt } from "../../os/unix-sockets.ts";
import { MAX_LINE_BYTES } from "../../wire/broker-protocol.ts";
import { Connection } from "../../wire/connection.ts";
import { isRecord, RpcError } from "../../wire/messages.ts";
import type { Occupation, PluginBroker } from "./plugin-broker.ts";

const WITHIN_MS = 5_000;
const HANGS_UP_WITHIN_MS = 500;
const LOOK_AGAIN_MS = 10;
/** The plugin's broker refuses everybody but the one it serves just now with this code. */
const BUSY = -32001;
/** More threads than that nobody has; then nothing is said rather than something wrong. */
const MAX_THREADS = 1_000;

/**
 * Whether a turn may run in a broker of the plugin, which is proven to be one. When in doubt, it is
 * not idle.
 *
 * That it does not refuse a question proves nothing: it forgets the turn of a client that has hung up,
 * while the turn goes on. So nobody must be connected, and then the app-server itself is asked for
 * the state of each thread, over the broker. With a client connected it is not asked, because the
 * broker would refuse that client meanwhile.
 *
 * @param whenIdle Called in the same instant in which that is proven, with the connection on which it was.
 */
export async function occupationOf(
  broker: PluginBroker,
  whenIdle: (connection: Connection) => Promise<void> = async () => {},
): Promise<Occupation> {
  const before = await lastingClientsOf(broker);
  if (before === undefined) return unknown("its connections cannot be seen here");
  if (before > 0) return busy(before);
  const deadline = Deadline.after(WITHIN_MS);
  let connection: Connection | undefined;
  try {
    const socket = await openSocket(broker.socket, deadline);
    connection = new Connection(
      { readable: socket, writable: socket },
      { maxLineBytes: MAX_LINE_BYTES },
    );
    const why = hasAppServer(broker)
      ? await idleThreads(connection, deadline)
      : "its app-server has gone";
    const others = (clientsOf(broker) ?? 2) - 1;
    if (others > 0) return busy(others);
    await whenIdle(connection);
    return { state: "idle", why: `no client is connected, and ${why}` };
  } catch (error) {
    if (error instanceof Occupied) return error.occupation;
    if (error instanceof RpcError && error.code === BUSY) return REFUSED;
    return unknown(wordsFor(error));
  } finally {
    connection?.close();
  }
}

const REFUSED: Occupation = { state: "busy", why: "it refuses other work at the moment" };

class Occupied extends Error {
  readonly occupation: Occupation;

  constructor(occupation: Occupation) {
    super(occupation.why);
    this.occupation = occupation;
  }
}

/** Without one, no turn runs. */
function hasAppServer({ identity }: PluginBroker): boolean {
  return provenDescendants(identity).length > 0;
}

/** One that has just hung up, as we may have, is counted until the broker has noticed it. */
async function lastingClientsOf(broker: PluginBroker): Promise<number | undefined> {
  const deadline = Deadline.after(HANGS_UP_WITHIN_MS);
  for (;;) {
    const clients = clientsOf(broker);
    if (clients === undefined || clients === 0 || deadline.expired) return clients;
    await pause(LOOK_AGAIN_MS);
  }
}

function clientsOf({ socket }: PluginBroker): number | undefined {
  return socketsAt(socket)?.connections;
}

async function idleThreads(connection: Connection, deadline: Deadline): Promise<string> {
  await connection.request("initialize", introduction, { deadline });
  const listed = await connection.request(
    "thread/loaded/list",
    { limit: MAX_THREADS },
    { deadline },
  );
  const threads = isRecord(listed) && Array.isArray(listed["data"]) ? listed["data"] : undefined;
  if (threads === undefined || (isRecord(listed) && typeof listed["nextCursor"] === "string")) {
    throw new Occupied(unknown("its app-server does not say which threads it has"));
  }
  for (const threadId of threads) {
    const read = await connection.request("thread/read", { threadId }, { deadline });
    const state = statusIn(read);
    if (state === "active") throw new Occupied({ state: "busy", why: "a turn runs in it" });
    if (state !== "idle" && state !== "notLoaded" && state !== "systemError") {
      throw new Occupied(unknown("its app-server does not say whether a turn runs"));
    }
  }
  return threads.length === 0 ? "no thread is loaded" : "no thread is active";
}

function statusIn(answer: unknown): unknown {
  const thread = isRecord(answer) ? answer["thread"] : undefined;
  const status = isRecord(thread) ? thread["status"] : undefined;
  return isRecord(status) ? status["type"] : undefined;
}

const introduction = {
  clientInfo: { name: "codex-broker doctor", title: null, version: BROKER_VERSION },
  capabilities: {},
};

function busy(clients: number): Occupation {
  const who = clients === 1 ? "a client is" : `${clients} clients are`;
  return { state: "busy", why: `${who} connected to it` };
}

function unknown(why: string): Occupation {
  return { state: "unknown", why };
}

function wordsFor(error: unknown): string {
  const code = errnoOf(error);
  if (code === "ENOENT") return "its socket is gone, so it cannot be asked what it does";
  const why = messageOf(error).replace(/[.\s]+$/, "");
  return `it cannot be asked what it does (${code ?? why})`;
}
