import { ownIdentity } from "../os/process-identity.ts";
import { takeCensus, type Counted } from "./census.ts";
import { differencesOf } from "./differences.ts";
import type { EpochRecord } from "./epoch-file.ts";
import { isSamePlace } from "./place.ts";
import type { Scope } from "./scope.ts";

/** A broker that serves the workspace of a scope to clients with another scope. */
export interface Sibling extends Counted {
  /** Key of its scope. */
  readonly scope: string;
  /** In words. Empty where its record does not say. */
  readonly differs: readonly string[];
}

/** Returns the brokers of other scopes in the same workspace, from the files alone. */
export function siblingsOf(scope: Scope): Sibling[] {
  return takeCensus(scope.stateDir)
    .filter(({ key }) => key !== scope.key)
    .flatMap(({ key, brokers }) =>
      brokers
        .filter(({ record }) => servesWorkspaceOf(record, scope))
        .map((counted) => ({
          ...counted,
          scope: key,
          differs: differencesOf(counted.record, [scope]),
        })),
    );
}

/** Whether a record is about the same files: a path may lead elsewhere in another place. */
export function servesWorkspaceOf(
  record: EpochRecord,
  { workspace, place }: Pick<Scope, "workspace" | "place">,
): boolean {
  if (record.state === "claimed" || record.workspace !== workspace) return false;
  if (record.place === undefined || record.broker === undefined) return true;
  return isSamePlace(record.place, place, record.broker.bootId === ownIdentity().bootId);
}
