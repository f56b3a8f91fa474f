import type { Happening, Lane } from "../lane.ts";

/** Where the lanes of one act are seen. */
export interface Stage {
  happened(lane: Lane, what: Happening): void;
  /** Leaves the lanes as they are now. */
  close(): void;
}
