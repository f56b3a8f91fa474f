import { statSync, watch, type FSWatcher } from "node:fs";
import path from "node:path";
import { errnoOf } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { epochPath, hasLostEpoch, listEpochs, readEpoch } from "../lifecycle/epoch-file.ts";
import { CLAIM_LIMIT_MS } from "../lifecycle/start-protocol.ts";
import { ABSENT, markOf } from "../os/file-mark.ts";
import { livenessOf } from "../os/process-identity.ts";

/** Losing the ground is noticed within this time even where the file system reports no changes. */
const LOOK_EVERY_MS = 2_000;

export interface Ground {
  readonly scopeDir: string;
  readonly epoch: number;
  readonly token: string;
  /** The socket file; null where endpoints are no files. */
  readonly socket: string | null;
}

export interface Loss {
  readonly reason: string;
  /** Whether the clients are to go on with a successor. */
  readonly reconnect: boolean;
}

/** What need not be read again for as long as it is the same. */
export interface Seen {
  /** Mark of the epoch file that was found to be ours. */
  ownRecord?: string | undefined;
}

/**
 * Why the broker has no ground to stand on any more, or undefined while that is not proven. What cannot
 * be read now, for want of descriptors or permission, is looked at again: no successor of this user
 * could claim an epoch there meanwhile either.
 *
 * @throws what kept it from looking.
 */
export function groundLost(ground: Ground, seen: Seen = {}): Loss | undefined {
  const newest = listEpochs(ground.scopeDir)[0];
  if (newest !== undefined && newest > ground.epoch) {
    return replaced(`superseded by epoch ${newest}`);
  }
  const mark = markOf(epochPath(ground.scopeDir, ground.epoch));
  if (mark === undefined || mark === ABSENT || mark !== seen.ownRecord) {
    if (hasLostEpoch(ground.scopeDir, ground.epoch, ground.token)) {
      return replaced("its epoch file is gone or another's");
    }
    seen.ownRecord = mark;
  }
  if (ground.socket !== null && isGone(ground.socket)) return replaced("its socket is gone");
  return undefined;
}

/**
 * A claim is not a broker yet. Until one serves, this one is what the fixed path leads to, and what
 * connected clients have: stepping down for a claim would leave them with nothing meanwhile.
 */
function successorIsStarting({ scopeDir, epoch }: Ground): boolean {
  const higher = listEpochs(scopeDir).filter((each) => each > epoch);
  return higher.length > 0 && higher.every((each) => isBeingStarted(scopeDir, each));
}

function isBeingStarted(scopeDir: string, epoch: number): boolean {
  const reading = readEpoch(scopeDir, epoch);
  if (reading?.state !== "read" || reading.record.state !== "claimed") return false;
  return livenessOf(reading.record.claimant) !== "gone";
}

function isGone(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return true;
    throw error;
  }
}

function replaced(reason: string): Loss {
  return { reason, reconnect: true };
}

/** Looks at the ground at every change of its directories, and regularly. */
export class GroundWatch {
  readonly #ground: Ground;
  readonly #onLost: (loss: Loss) => void;
  readonly #onHeld: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #watchers: readonly FSWatcher[];
  /** Since when there has been a claim on a higher epoch, and nothing more. */
  #challengedAt: number | undefined;
  #unseen = false;
  readonly #seen: Seen = {};
  #soon: NodeJS.Immediate | undefined;

  /** @param onHeld called at every look at which nothing is lost. */
  constructor(ground: Ground, onLost: (loss: Loss) => void, onHeld: () => void = () => {}) {
    this.#ground = ground;
    this.#onLost = onLost;
    this.#onHeld = onHeld;
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    const { scopeDir, socket } = ground;
    const directories = socket === null ? [scopeDir] : [scopeDir, path.dirname(socket)];
    this.#watchers = directories.flatMap((directory) => this.#tryToWatch(directory) ?? []);
  }

  look(): void {
    let loss: Loss | undefined;
    try {
      loss = groundLost(this.#ground, this.#seen);
      if (loss === undefined) this.#onHeld();
      else if (this.#awaitsSuccessor()) loss = undefined;
      this.#unseen = false;
    } catch (error) {
      if (!this.#unseen) trace("warn", "ground.unseen", { error: String(error) });
      this.#unseen = true;
    }
    if (loss === undefined) return;
    this.close();
    this.#onLost(loss);
  }

  #awaitsSuccessor(): boolean {
    if (!successorIsStarting(this.#ground)) return false;
    this.#challengedAt ??= monotonicMs();
    return monotonicMs() - this.#challengedAt < CLAIM_LIMIT_MS;
  }

  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#soon);
    for (const watcher of this.#watchers) watcher.close();
  }

  /** One change of a file is told several times in a row. */
  #lookSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      this.look();
    });
  }

  /** The poll is enough where the system has no watches left. */
  #tryToWatch(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, (_change, name) => {
        // The logs lie there too, and a look may be told of in one of them.
        if (name?.endsWith(".log") !== true) this.#lookSoon();
      });
      watcher.on("error", (error) => trace("info", "ground.unwatched", { error: String(error) }));
      return watcher;
    } catch (error) {
      trace("info", "ground.unwatched", { error: String(error) });
      return undefined;
    }
  }
}
