import type { ClaimedRecord, ServingRecord } from "../lifecycle/epoch-file.ts";
import type { PluginBroker } from "./plugin/plugin-broker.ts";

/** Everything that `--fix` ever does. Each proves once more, at the last moment, that it may. */
export type Remedy =
  | { readonly kind: "closeDirectory"; readonly path: string }
  | {
      readonly kind: "bury";
      readonly scopeDir: string;
      readonly record: ClaimedRecord | ServingRecord;
    }
  | { readonly kind: "writeOff"; readonly scopeDir: string; readonly record: ServingRecord }
  | { readonly kind: "endOrphan"; readonly scopeDir: string; readonly record: ServingRecord }
  | { readonly kind: "endSilent"; readonly scopeDir: string; readonly record: ServingRecord }
  | { readonly kind: "endDrain"; readonly record: ServingRecord }
  | { readonly kind: "removeSocket"; readonly stateDir: string; readonly path: string }
  | {
      readonly kind: "removeLink";
      readonly stateDir: string;
      readonly path: string;
      readonly target: string;
    }
  | { readonly kind: "removeUnfinished"; readonly path: string }
  | { readonly kind: "moveLastEpochAside"; readonly scopeDir: string }
  | { readonly kind: "endPluginBroker"; readonly broker: PluginBroker };

/** What came of it. */
export interface Mended {
  /** Whether the finding is settled by it. */
  readonly done: boolean;
  /** In words: what was done, or why nothing was. */
  readonly did: string;
}

export function done(did: string): Mended {
  return { done: true, did };
}

export function left(did: string): Mended {
  return { done: false, did };
}
