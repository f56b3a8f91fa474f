import { differencesOf } from "../../lifecycle/differences.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import { finding, type Finding } from "../finding.ts";
import type { Observations, ScopeSeen } from "../observations.ts";

/** Reports workspaces with several brokers: their clients do not share, which may not be intended. */
export function* diagnoseSiblings({ scopes }: Pick<Observations, "scopes">): Generator<Finding> {
  const brokers = scopes.flatMap((scope) => servingBrokerOf(scope) ?? []);
  for (const group of groupedByFiles(brokers)) {
    const [first] = group;
    if (first === undefined || group.length < 2) continue;
    const facts = group.map((record) => ({
      pid: record.broker.pid,
      epoch: record.epoch,
      differs: differencesOf(
        record,
        group.filter((each) => each !== record),
      ),
    }));
    const words = facts.map(({ pid, differs }) => `process ${pid} (${differs.join(", ")})`);
    yield finding(
      "siblingBrokers",
      `The workspace ${first.workspace} has ${group.length} brokers, because their clients differ: ${words.join("; ")}.`,
      "Clients with the same settings share one broker; docs/environment.md lists the variables that count.",
      { details: { workspace: first.workspace, brokers: facts } },
    );
  }
}

/** A private broker has no siblings: its client asked for one of its own. */
function servingBrokerOf({ epochs }: ScopeSeen): ServingRecord | undefined {
  for (const { reading, serving } of epochs) {
    if (reading.state !== "read" || reading.record.state !== "serving") continue;
    const { record } = reading;
    if (serving?.contact?.kind === "hello" && record.private !== true) return record;
  }
  return undefined;
}

function groupedByFiles(brokers: readonly ServingRecord[]): Iterable<readonly ServingRecord[]> {
  const groups = new Map<string, ServingRecord[]>();
  for (const record of brokers) {
    const files = filesOf(record);
    groups.set(files, [...(groups.get(files) ?? []), record]);
  }
  return groups.values();
}

function filesOf({ workspace, place }: ServingRecord): string {
  return JSON.stringify([workspace, place ?? null]);
}
