import { err } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { JsonReporter } from "./json-reporter.ts";
import { quietReporter } from "./quiet-reporter.ts";
import type { Reporter } from "./reporter.ts";

/** Prints a warning of this program, also where no progress is shown on stderr. */
export function warn(reporter: Reporter, message: string): void {
  reporter.event({ type: "warning", message });
  if (reporter !== quietReporter && !(reporter instanceof JsonReporter)) return;
  err.line(err.paint("yellow", `codex-broker: ${printableLine(message)}`));
}
