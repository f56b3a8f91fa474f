import { createServer } from "node:net";
import path from "node:path";
import { Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { errnoOf } from "../base/errors.ts";
import { socketDirectories } from "../os/endpoint.ts";
import { openSocket } from "./contact.ts";

const WITHIN_MS = 1_000;

export interface Forbidden {
  /** What may not be done with sockets there. A broker that may not listen is of no use to anybody. */
  readonly what: "connect" | "listen";
  readonly directory: string;
}

/**
 * What a sandbox forbids this process, and so the broker that it would start, to do with sockets, by the
 * call or by the path; undefined where nothing is. Asked of names that nobody has, so that the answer
 * tells what is allowed and not who is there.
 */
export async function forbiddenSockets(stateDir: string): Promise<Forbidden | undefined> {
  const [directory] = socketDirectories(stateDir);
  if (process.platform === "win32" || directory === undefined) return undefined;
  if ((await errnoOfConnect(path.join(directory, "nobody.sock"))) === "EPERM") {
    return { what: "connect", directory };
  }
  // In a directory that is not there either: nothing can be left behind.
  if ((await errnoOfListen(path.join(directory, "nobody", "nobody.sock"))) === "EPERM") {
    return { what: "listen", directory };
  }
  return undefined;
}

async function errnoOfConnect(address: string): Promise<string | undefined> {
  try {
    const socket = await openSocket(address, Deadline.after(WITHIN_MS));
    socket.destroy();
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

async function errnoOfListen(address: string): Promise<string | undefined> {
  const server = createServer();
  const failed = deferred<unknown>();
  server.once("error", failed.resolve).once("listening", () => failed.resolve(undefined));
  server.listen(address);
  const error = await failed.promise;
  server.close();
  return errnoOf(error);
}
