import type { WorldOptions } from "../support/world.ts";
import type { Stage } from "./stage.ts";

export interface Bound {
  /** From the question of the next client to the end of its turn. */
  readonly servedMs: number;
  /** From the fault until nothing is left but one healthy broker and its app-server. */
  readonly goneMs: number;
}

/**
 * Something has ended: the next client pays a cold start at most, and never has to wait until a silence
 * has become remarkable (8 s).
 */
export const CRASHED: Bound = { servedMs: 7_500, goneMs: 15_000 };
/** Something lives and does not answer. */
export const WEDGED: Bound = { servedMs: 15_000, goneMs: 90_000 };

/** One row of the matrix. */
export interface Fault {
  readonly group: string;
  readonly name: string;
  readonly bound: Bound;
  /** Belongs to the short form, which the suite runs. */
  readonly short?: boolean;
  readonly world?: () => Promise<WorldOptions & { readonly remove?: () => Promise<void> }>;
  /** Why it cannot be brought about on this machine. */
  readonly unable?: () => string | undefined | Promise<string | undefined>;
  /** Brings it about. Returns when it has happened. */
  strike(stage: Stage): Promise<void>;
  /** The error that the next client gets for as long as the fault lasts. */
  readonly refusal?: string;
  /** Ends the fault, where it does not end by itself: after that, the next client must be served. */
  heal?(stage: Stage): Promise<void>;
  /** The same, once the next client has been served in spite of it. */
  after?(stage: Stage): Promise<void>;
  /** What else must hold in the end; returns what does not. */
  check?(stage: Stage): string | undefined;
}
