import { diagnoseEpochs } from "./diagnose/epochs.ts";
import { diagnoseGround } from "./diagnose/ground.ts";
import { diagnosePlugin } from "./diagnose/plugin.ts";
import { diagnoseSiblings } from "./diagnose/siblings.ts";
import { diagnoseSurroundings } from "./diagnose/surroundings.ts";
import type { Finding, Severity } from "./finding.ts";
import type { Observations } from "./observations.ts";

const ORDER: readonly Severity[] = ["error", "warning", "note"];

/** From what was seen to what is to be said about it, the worst first. Reads nothing but its argument. */
export function diagnose(seen: Observations): readonly Finding[] {
  const found = [
    ...diagnoseSurroundings(seen),
    ...diagnoseGround(seen),
    ...seen.scopes.flatMap((scope) => [...diagnoseEpochs(scope, seen)]),
    ...diagnoseSiblings(seen),
    ...diagnosePlugin(seen.plugin),
  ];
  return ORDER.flatMap((severity) => found.filter((each) => each.severity === severity));
}
