import { errnoOf } from "../../src/base/errors.ts";
import { Deadline, pause } from "../../src/base/deadline.ts";
import type { World } from "../support/world.ts";
import type { ParticipantKind } from "./history.ts";
import type { Ledger } from "./ledger.ts";
import { LibrarySession } from "./library-session.ts";
import { LineSession } from "./line-session.ts";
import type { Session, SessionEvents } from "./session.ts";
import { Watcher } from "./watcher.ts";

const CONNECTED_WITHIN_MS = 60_000;
const TRY_AGAIN_MS = 20;

export interface Place {
  readonly world: World;
  /** The program `codex-broker`. */
  readonly program: string;
  /** The fixed path of the workspace's broker. */
  readonly path: string;
}

/** One program. It connects again when its connection has ended, as often as that happens. */
export class Participant {
  readonly kind: ParticipantKind;
  /** Every session that it has had. */
  readonly watchers: Watcher[] = [];
  readonly #name: string;
  readonly #place: Place;
  readonly #ledger: Ledger;
  #current: Promise<Watcher> | undefined;

  constructor(number: number, kind: ParticipantKind, place: Place, ledger: Ledger) {
    this.kind = kind;
    this.#name = `${kind} ${number}`;
    this.#place = place;
    this.#ledger = ledger;
  }

  /** The session that takes new work. */
  async session(): Promise<Watcher> {
    const current = await this.#current;
    const isUsable =
      current !== undefined &&
      !current.isLeft &&
      !current.isClosed &&
      !(this.kind === "raw" && current.isDraining);
    if (isUsable) return current;
    this.#current = this.#open();
    return await this.#current;
  }

  /** Ends the session that there is. The next step gets another one. */
  async leave(kill: boolean): Promise<void> {
    const current = await this.#current;
    if (current !== undefined && !current.isClosed) current.leave(kill);
  }

  async #open(): Promise<Watcher> {
    const name = `${this.#name}.${this.watchers.length + 1}`;
    const watcher = await Watcher.open(name, this.#ledger, (events) => this.#connect(events));
    this.watchers.push(watcher);
    return watcher;
  }

  async #connect(events: SessionEvents): Promise<Session> {
    const { world, program, path } = this.#place;
    if (this.kind === "library") return new LibrarySession(await world.connect(), events);
    if (this.kind === "proxy") {
      return await LineSession.proxy(program, world.workspace, world.env, events);
    }
    const deadline = Deadline.after(CONNECTED_WITHIN_MS);
    for (;;) {
      try {
        return await LineSession.raw(path, events);
      } catch (error) {
        // A plain client starts no broker. After an outage somebody else has to.
        if (deadline.expired) throw error;
        if (errnoOf(error) !== undefined) (await world.connect()).close();
        await pause(TRY_AGAIN_MS);
      }
    }
  }
}
