import { chmodSync, readlinkSync, symlinkSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { deferred } from "../base/deferred.ts";
import { BrokerError, errnoOf } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { removeIfThere, renameWithRetry } from "../os/atomic-file.ts";
import type { Endpoint } from "../os/endpoint.ts";
import { uidOfPeer } from "../os/peer.ts";
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

  /** @throws BrokerError `stateDirUnusable` or `sandboxDenied`. */
  static async open(endpoint: Endpoint, onSocket: (socket: Socket) => void): Promise<Listener> {
    const server = createServer({ noDelay: true }, (socket) =>
      isOurs(socket) ? onSocket(socket) : turnAway(socket),
    );
    const listening = deferred<void>();
    server.once("listening", listening.resolve);
    server.once("error", listening.reject);
    trace("debug", "listener.binding", { address: endpoint.address });
    server.listen({ path: endpoint.address, backlog: BACKLOG });
    try {
      await listening.promise;
      if (process.platform !== "win32") chmodSync(endpoint.address, 0o600);
    } catch (cause) {
      server.close();
      throw errnoOf(cause) === "EPERM"
        ? forbidden(endpoint.address, cause)
        : unusable(endpoint.address, cause);
    }
    trace("debug", "listener.bound", { address: endpoint.address });
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
    try {
      if (current !== null && linkTarget(current) === address) removeIfThere(current);
    } catch (error) {
      // The successor points it elsewhere; the turns that still run must not suffer for it.
      trace("warn", "listener.currentStays", { error: String(error) });
    }
  }

  /** Takes no more connections. */
  close(): void {
    this.leaveCurrent();
    this.#server.close();
  }
}

/** Modes say EACCES: it takes a sandbox for this. */
function forbidden(address: string, cause: unknown): BrokerError {
  const message = `The system does not allow a broker to listen on ${address} (EPERM).`;
  return new BrokerError("sandboxDenied", message, { cause, details: { path: address } });
}

/** The private directory keeps others out already; should somebody open it, the kernel still knows. */
function isOurs(socket: Socket): boolean {
  const uid = uidOfPeer(socket);
  return uid === undefined || uid === process.geteuid?.();
}

function turnAway(socket: Socket): void {
  trace("warn", "listener.stranger", { uid: uidOfPeer(socket) });
  socket.on("error", () => {});
  socket.destroy();
}

function linkTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
}
