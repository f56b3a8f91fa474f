import { EXIT, type ExitCode } from "../../base/errors.ts";
import { diagnose } from "../../doctor/diagnose.ts";
import { observe } from "../../doctor/observe.ts";
import type { setupOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { out, type Output, type Paint } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { padEnd } from "../output/width.ts";
import { groundChecks, trialChecks, type Check } from "../setup/checks.ts";
import { tryToDelegate } from "../setup/trial.ts";
import { clientInfo, wantedScope, wantedStart } from "../workspace/wanted.ts";

/** A host that asks does not wait for long. */
const START_LIMIT_MS = 30_000;

export async function execute(given: Given<typeof setupOptions>): Promise<ExitCode> {
  const scope = wantedScope(given);
  const seen = await observe(scope, process.env);
  const ground = groundChecks(seen, diagnose(seen));
  const trial = ground.every(isOk)
    ? await tryToDelegate({
        startTimeoutMs: START_LIMIT_MS,
        ...scope,
        ...wantedStart(given),
        clientInfo: clientInfo("setup"),
      })
    : ({ state: "notTried" } as const);
  const checks = [...ground, ...trialChecks(trial)];
  const ready = checks.every(isOk);
  if (given.has("json")) out.json({ ready, checks });
  else print(checks, ready, out);
  return ready ? EXIT.ok : EXIT.foundWrong;
}

function isOk({ state }: Check): boolean {
  return state === "ok";
}

const LABEL_COLUMNS = 9;

const MARKS: Readonly<Record<Check["state"], readonly [symbol: string, paint: Paint]>> = {
  ok: [symbols.ok, "green"],
  missing: [symbols.failed, "red"],
  unknown: [symbols.declined, "yellow"],
};

function print(checks: readonly Check[], ready: boolean, to: Output): void {
  for (const { name, state, says, fix } of checks) {
    const [symbol, paint] = MARKS[state];
    to.line(`${to.paint(paint, symbol)} ${padEnd(name, LABEL_COLUMNS)}${printableLine(says)}`);
    if (fix !== null) to.line(to.paint("dim", `  → ${printableLine(fix)}`));
  }
  to.line();
  if (ready) to.line(`ready: ${to.paint("bold", 'codex-broker run "explain this repository"')}`);
  else to.line(to.paint("bold", "not ready"));
}
