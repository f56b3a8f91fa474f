import path from "node:path";
import { Deadline } from "../base/deadline.ts";
import { errnoOf } from "../base/errors.ts";
import { socketDirectories } from "../os/endpoint.ts";
import { openSocket } from "./contact.ts";

const WITHIN_MS = 1_000;

/**
 * The directory in which sockets are out of reach for this process, as a sandbox decides it by the call or
 * by the path; undefined where nothing forbids them. Asked of a name that nobody has, so that the answer
 * tells what is allowed and not who is there.
 */
export async function forbiddenSockets(stateDir: string): Promise<string | undefined> {
  const [directory] = socketDirectories(stateDir);
  if (process.platform === "win32" || directory === undefined) return undefined;
  try {
    const socket = await openSocket(path.join(directory, "nobody.sock"), Deadline.after(WITHIN_MS));
    socket.destroy();
    return undefined;
  } catch (error) {
    return errnoOf(error) === "EPERM" ? directory : undefined;
  }
}
