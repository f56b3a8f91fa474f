import type { ScopeCensus } from "../../lifecycle/census.ts";
import { differencesOf } from "../../lifecycle/differences.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import { siblingsOf, type Sibling } from "../../lifecycle/siblings.ts";
import { printableLine } from "../output/printable.ts";
import { askRecorded } from "./ask.ts";

/** As `--json` prints it. */
export interface SiblingJson {
  readonly scope: string;
  readonly epoch: number;
  readonly pid: number;
  readonly codexHome: string;
  readonly codex: string;
  readonly label: string | null;
  readonly differs: readonly string[];
}

/** Returns the other brokers of the workspace that run. One that cannot be verified counts if it answers. */
export async function livingSiblings(scope: Scope, command: string): Promise<Sibling[]> {
  const found = siblingsOf(scope).map(async (sibling) => {
    const lives =
      sibling.liveness === "alive" || (await askRecorded(sibling.record, command)) !== undefined;
    return lives ? [sibling] : [];
  });
  return (await Promise.all(found)).flat();
}

export function siblingJson({ scope, record, differs }: Sibling): SiblingJson {
  const { epoch, broker, codexHome, codex, label = null } = record;
  return { scope, epoch, pid: broker.pid, codexHome, codex, label, differs };
}

export function siblingLine({ record, differs }: Sibling): string {
  const facts = [`epoch ${record.epoch}`, `process ${record.broker.pid}`, differenceText(differs)];
  return printableLine(facts.join(" · "));
}

/** The usual reason is false where the workspace has a broker for other clients. */
export function absenceReason(reason: string, siblings: readonly unknown[]): string {
  if (siblings.length === 0 || !reason.endsWith("for this workspace")) return reason;
  return `${reason} with this environment, CODEX_HOME, codex and label`;
}

export function differenceText(differs: readonly string[]): string {
  return differs.length === 0 ? "its record does not say what differs" : differs.join(", ");
}

/**
 * Returns for each broker what tells it apart from those of other scopes in its workspace; null where
 * there are none.
 */
export function apartInWorkspace(
  brokers: ReadonlyArray<{
    readonly scope: Pick<ScopeCensus, "key">;
    readonly record: ServingRecord;
  }>,
): Array<string[] | null> {
  return brokers.map(({ scope, record }) => {
    const others = brokers.filter(
      (each) => each.scope.key !== scope.key && each.record.workspace === record.workspace,
    );
    const records = others.map((each) => each.record);
    return records.length === 0 ? null : differencesOf(record, records);
  });
}
