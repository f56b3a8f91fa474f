import { connect } from "node:net";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { errnoOf } from "../../base/errors.ts";

export type Reach = "accepted" | "refused" | "denied" | "silent";

/** Nobody needs longer to take a connection; one that hangs takes it all the same. */
const WITHIN_MS = 1_000;

/** Whether somebody takes connections there. Says nothing, and hangs up. */
export async function reach(path: string): Promise<Reach> {
  const result = deferred<Reach>();
  const socket = connect({ path });
  socket.once("connect", () => result.resolve("accepted"));
  socket.on("error", (error) => {
    const code = errnoOf(error);
    if (code === "EPERM" || code === "EACCES") result.resolve("denied");
    else result.resolve(code === "EAGAIN" ? "silent" : "refused");
  });
  try {
    return await Deadline.after(WITHIN_MS).race(result.promise, () => new Error("no connection"));
  } catch {
    return "silent";
  } finally {
    socket.destroy();
  }
}
