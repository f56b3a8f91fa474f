import { chmodSync, readlinkSync, symlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { deferred } from "../base/deferred.ts";
import { errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { removeIfThere, renameWithRetry } from "../os/atomic-file.ts";
import type { Endpoint } from "../os/endpoint.ts";
import { unusable } from "../os/private-directory.ts";

/** Connections that may wait for the event loop; the kernel refuses those beyond. */
const BACKLOG = 511;

/** The broker's endpoint: bound under its own name, and `current` pointed at it. */
export class Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;

  private constructor(endpoint: Endpoint, server: Server) {
    this.endpoint = endpoint;
    this.#server = server;
  }

  /** @throws BrokerError `stateDirUnusable`. */
  static async open(endpoint: Endpoint, onSocket: (socket: Socket) => void): Promise<Listener> {
    const server = createServer({ noDelay: true }, onSocket);
    const listening = deferred<void>();
    server.once("listening", listening.resolve);
    server.once("error", listening.reject);
    server.listen({ path: endpoint.address, backlog: BACKLOG });
    try {
      await listening.promise;
      if (process.platform !== "win32") chmodSync(endpoint.address, 0o600);
    } catch (cause) {
      server.close();
      throw unusable(endpoint.address, cause);
    }
    server.removeListener("error", listening.reject);
    // Errors of single connections (out of descriptors, say): the listener itself goes on.
    server.on("error", () => {});
    return new Listener(endpoint, server);
  }

  /** Makes the fixed path lead here; whoever connects meanwhile reaches the old or the new one. */
  pointCurrentHere(): void {
    const { address, current } = this.endpoint;
    if (current === null) return;
    const aside = `${current}.${randomBytes(6).toString("hex")}.tmp`;
    try {
      symlinkSync(address, aside);
      renameWithRetry(aside, current);
    } catch (cause) {
      removeIfThere(aside);
      throw unusable(current, cause);
    }
  }

  /** A slow predecessor may have pointed the fixed path at itself, and taken it along when it ended. */
  keepCurrent(): void {
    const { address, current } = this.endpoint;
    try {
      if (current !== null && linkTarget(current) !== address) this.pointCurrentHere();
    } catch (error) {
      // Only clients that were given the fixed path miss it: no reason to end.
      trace("warn", "listener.noCurrent", { error: String(error) });
    }
  }

  /** The fixed path leads here no more; this endpoint itself goes on. Removes only what leads here. */
  leaveCurrent(): void {
    const { address, current } = this.endpoint;
    if (current !== null && linkTarget(current) === address) removeIfThere(current);
  }

  /** Takes no more connections. */
  close(): void {
    this.leaveCurrent();
    this.#server.close();
  }
}

function linkTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}
