import { existsSync, watch, type FSWatcher } from "node:fs";
import { trace } from "../base/trace.ts";
import { holdsEpoch, listEpochs } from "../lifecycle/epoch-file.ts";

/** Losing the ground is noticed within this time even where the file system reports no changes. */
const LOOK_EVERY_MS = 2_000;

export interface Ground {
  readonly scopeDir: string;
  readonly epoch: number;
  readonly token: string;
  readonly workspace: string;
  /** The socket file; null where endpoints are no files. */
  readonly socket: string | null;
}

export interface Loss {
  readonly reason: string;
  /** Whether the clients are to go on with a successor. */
  readonly reconnect: boolean;
}

/** Why the broker has no ground to stand on any more, or undefined while it has. */
export function groundLost(ground: Ground): Loss | undefined {
  const newest = listEpochs(ground.scopeDir)[0];
  if (newest !== undefined && newest > ground.epoch) {
    return replaced(`superseded by epoch ${newest}`);
  }
  if (!holdsEpoch(ground.scopeDir, ground.epoch, ground.token)) {
    return replaced("its epoch file is gone or another's");
  }
  if (ground.socket !== null && !existsSync(ground.socket)) return replaced("its socket is gone");
  if (!existsSync(ground.workspace)) return { reason: "the workspace is gone", reconnect: false };
  return undefined;
}

function replaced(reason: string): Loss {
  return { reason, reconnect: true };
}

/** Looks at the ground at every change of the directory, and regularly. */
export class GroundWatch {
  readonly #ground: Ground;
  readonly #onLost: (loss: Loss) => void;
  readonly #onHeld: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #watcher: FSWatcher | undefined;

  /** @param onHeld called at every look at which nothing is lost. */
  constructor(ground: Ground, onLost: (loss: Loss) => void, onHeld: () => void = () => {}) {
    this.#ground = ground;
    this.#onLost = onLost;
    this.#onHeld = onHeld;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#watcher = this.#tryToWatch();
  }

  look(): void {
    let loss: Loss | undefined;
    try {
      loss = groundLost(this.#ground);
      if (loss === undefined) this.#onHeld();
    } catch (error) {
      loss = { reason: `its state directory cannot be read: ${String(error)}`, reconnect: false };
    }
    if (loss === undefined) return;
    this.close();
    this.#onLost(loss);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  /** The poll is enough where the system has no watches left. */
  #tryToWatch(): FSWatcher | undefined {
    try {
      const watcher = watch(this.#ground.scopeDir, () => this.look());
      watcher.on("error", (error) => trace("info", "ground.unwatched", { error: String(error) }));
      return watcher;
    } catch (error) {
      trace("info", "ground.unwatched", { error: String(error) });
      return undefined;
    }
  }
}
