import { existsSync } from "node:fs";
import path from "node:path";
import { BrokerError } from "../base/errors.ts";

/**
 * The daemon's program file. Looked for from this module upwards, because this module may stand in
 * the sources, in the bundle or in a chunk of it.
 *
 * @throws BrokerError `brokerStartFailed` when the package was not built.
 */
export function brokerProgram(): string {
  const here = import.meta.dirname;
  for (let at = here; ; at = path.dirname(at)) {
    for (const candidate of [path.join(at, "broker.cjs"), path.join(at, "dist", "broker.cjs")]) {
      if (existsSync(candidate)) return candidate;
    }
    if (at === path.dirname(at)) break;
  }
  throw new BrokerError("brokerStartFailed", `No broker program was found above ${here}.`, {
    hint: "Build it with `npm run build`, or install the package again.",
  });
}
