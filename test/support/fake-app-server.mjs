#!/usr/bin/env node
/**
 * Behaves as `codex app-server` does, and fails on demand in the ways that the real one will not.
 *
 * What a process does wrong is said by the plan, the JSON file that `FAKE_APP_SERVER_PLAN` names (its format is
 * `FakeBehaviour` in `fake-codex.ts`); what a turn does is said by its prompt (see `fake-app-server/turn-script.mjs`).
 * Threads are kept in `CODEX_HOME`, so that another process can resume them.
 */
import { codexVersion, ending, openPlan } from "./fake-app-server/plan.mjs";
import { serve } from "./fake-app-server/server.mjs";

const plan = openPlan();

if (process.argv.includes("--version")) {
  console.log(`codex-cli ${codexVersion(plan.upcoming())}`);
} else if (process.argv[2] === "app-server") {
  const start = plan.claimStart();
  const { exitAtStart } = start.behaviour;
  if (exitAtStart === undefined) {
    serve(start);
  } else {
    setTimeout(() => {
      process.stderr.write(exitAtStart.stderr ?? "");
      ending(start, exitAtStart);
    }, exitAtStart.afterMs ?? 0);
  }
} else {
  console.error(
    `fake-app-server: only app-server and --version are known: ${process.argv.slice(2).join(" ")}`,
  );
  process.exitCode = 64;
}
