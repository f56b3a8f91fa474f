import { realpathSync, statSync } from "node:fs";
import { Deadline } from "../../base/deadline.ts";
import { EXIT, type ExitCode } from "../../base/errors.ts";
import { connectBroker } from "../../client/connect.ts";
import { workspaceOf } from "../../lifecycle/scope.ts";
import type { transferOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { symbols } from "../output/symbols.ts";
import { importSession, type Imported } from "../transfer/import-session.ts";
import { findSession, type SessionFile } from "../transfer/session-file.ts";
import { clientInfo, wantedScope, wantedStart } from "../workspace/wanted.ts";

/** Codex reads the whole transcript and writes a thread: seconds for the longest ones. */
const IMPORT_LIMIT_MS = 120_000;

export async function execute(given: Given<typeof transferOptions>): Promise<ExitCode> {
  const named = given.text("cwd") ?? process.cwd();
  const workspace = workspaceOf(named);
  const here = realpathSync.native(named);
  const session = findSession(given.text("session"), [here, workspace]);
  const client = await connectBroker({
    ...wantedScope(given),
    ...wantedStart(given),
    clientInfo: clientInfo("transfer"),
  });
  try {
    const deadline = Deadline.after(given.seconds("timeout") ?? IMPORT_LIMIT_MS);
    const imported = await importSession(client, session, whereToGoOn(session, here), deadline);
    if (given.has("json")) out.json(transferJson(session, imported));
    else printTransfer(session, imported);
    return EXIT.ok;
  } finally {
    client.close();
  }
}

/** Where it was held, if that is still there. */
function whereToGoOn({ cwd }: SessionFile, here: string): string {
  if (cwd === undefined) return here;
  return statSync(cwd, { throwIfNoEntry: false })?.isDirectory() === true ? cwd : here;
}

function resumeCommands(threadId: string): { readonly codex: string; readonly broker: string } {
  return {
    codex: `codex resume ${threadId}`,
    broker: `codex-broker run --resume ${threadId}`,
  };
}

function transferJson(session: SessionFile, { threadId, title, already }: Imported): object {
  return {
    threadId,
    title,
    session: session.id,
    path: session.path,
    already,
    resume: resumeCommands(threadId),
  };
}

function printTransfer(session: SessionFile, { threadId, title, already }: Imported): void {
  const { codex, broker } = resumeCommands(threadId);
  const what = already ? "has been transferred before; nothing was added since" : "is transferred";
  out.line(`${out.paint("green", symbols.ok)} session ${session.id} ${what}`);
  if (title !== null) out.line(out.paint("dim", `  ${printableLine(title)}`));
  out.line(`  thread ${out.paint("bold", threadId)}`);
  out.line(`  → ${codex}`);
  out.line(out.paint("dim", `  → ${broker} "…"   goes on with it from here`));
}
