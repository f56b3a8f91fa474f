import { err, out } from "../output/output.ts";
import { LiveReporter } from "./live-reporter.ts";
import { PlainReporter } from "./plain-reporter.ts";
import { quietReporter } from "./quiet-reporter.ts";
import type { Reporter } from "./reporter.ts";

/** For whoever looks at stderr, unless nobody is to be told anything. */
export function chooseReporter(quiet: boolean): Reporter {
  if (quiet) return quietReporter;
  return err.canRedraw ? new LiveReporter(err, out.isTerminal) : new PlainReporter(err);
}
