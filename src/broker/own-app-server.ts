import type { AppServerChild, AppServerExit } from "../app-server/child.ts";
import { startAppServer, type StartedAppServer, type StartOptions } from "../app-server/start.ts";
import { stopAppServer } from "../app-server/stop-ladder.ts";

export interface OwnAppServerOptions extends Omit<StartOptions, "onSpawned" | "signal"> {
  /** Called with each process that is spawned: a start on a locked database takes several. */
  readonly onSpawned: (pid: number | undefined) => void;
}

/**
 * The app-server of a broker. The broker owns the process from its spawn on, so that the process ends
 * with the broker also when the broker ends during the start.
 */
export class OwnAppServer {
  readonly #stopped = new AbortController();
  #child: AppServerChild | undefined;
  #started: StartedAppServer | undefined;

  /** The latest process, initialized or not. */
  get child(): AppServerChild | undefined {
    return this.#child;
  }

  /** Present once it has answered the handshake. */
  get started(): StartedAppServer | undefined {
    return this.#started;
  }

  /** @throws BrokerError as `startAppServer` does. No process is left then. */
  async start(options: OwnAppServerOptions): Promise<StartedAppServer> {
    this.#started = await startAppServer({
      ...options,
      signal: this.#stopped.signal,
      onSpawned: (child) => {
        this.#child = child;
        options.onSpawned(child.pid);
      },
    });
    return this.#started;
  }

  /** Ends the process, and the start if that is under way. @returns how the process ended. */
  async stop(): Promise<AppServerExit | undefined> {
    this.#stopped.abort();
    if (this.#child === undefined) return undefined;
    return (await stopAppServer(this.#child)).exit ?? undefined;
  }
}
