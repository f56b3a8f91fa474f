import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import { cliProgram } from "./found-warm.ts";

/** How to use from another shell what the demo has set up. */
export function leftToPlayWith(world: PrivateWorld, page: Page): void {
  const { env } = world;
  page.title(7, "All of it stays up, to play with");
  page.line("In another shell:", "dim");
  page.verbatim(`cd ${quoted(world.workspace)}`);
  if (world.withheld.length > 0) page.verbatim(`unset ${world.withheld.join(" ")}`);
  for (const name of ["CODEX_HOME", "CODEX_BROKER_STATE_DIR", "CODEX_BROKER_CODEX"]) {
    page.verbatim(`export ${name}=${quoted(env[name] ?? "")}`);
  }
  page.verbatim(`alias codex-broker=${quoted(`node ${quoted(cliProgram)}`)}`);
  page.blank();
  page.line("The model does what a prompt says, so try for example:", "dim");
  page.verbatim("codex-broker status");
  page.verbatim('codex-broker run "say: hello from my own shell"');
  page.verbatim('codex-broker run "slow: 50x100ms tick"   # in two shells at once');
  page.verbatim('codex-broker run "think: look first ;; shell: ls -l ;; say: done"');
  page.verbatim('codex-broker run "fail: the model is tired"');
  page.verbatim("codex-broker logs");
  page.blank();
  page.line(
    `To stop it and remove all of it: Ctrl-C here, or \`kill ${process.pid}\` from anywhere.`,
    "bold",
  );
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
