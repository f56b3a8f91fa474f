import { BrokerError, EXIT, messageOf, type ExitCode } from "../base/errors.ts";
import type { Command } from "./command.ts";
import type { Given } from "./line/given.ts";
import { endWithFailure, failureJson, failureOf } from "./output/failure.ts";
import { err, out } from "./output/output.ts";

export async function execute(command: Command, given: Given): Promise<ExitCode> {
  if (process.env["CODEX_BROKER_DEBUG"] === "1") {
    const { onTrace } = await import("../base/trace.ts");
    onTrace((event) => err.line(err.paint("dim", JSON.stringify(event))));
  }
  const { execute } = await command.load();
  return await execute(given);
}

/** Does the work and ends the process: with what came of it, and after all that was said has left. */
export async function perform(
  work: () => Promise<ExitCode>,
  argv: readonly string[],
): Promise<never> {
  // A defect anywhere must still end as one line.
  process.on("uncaughtException", (thrown) => process.exit(codeFor(fail(thrown, argv), argv)));
  // So must one that waits for what nothing is left to bring.
  process.on("beforeExit", () =>
    process.exit(codeFor(fail(new Error("what it waits for cannot come"), argv), argv)),
  );
  const code = await work().catch((thrown: unknown) => fail(thrown, argv));
  const [lost] = await Promise.all([out.flushed(), err.flushed()]);
  if (lost !== undefined) process.exit(codeFor(await failOutput(lost), argv));
  // What is still open (a connection that is being closed, stdin) must not delay the end.
  process.exit(codeFor(code, argv));
}

/** A host takes some codes of a hook for a refusal, also that of a command line that makes no sense. */
function codeFor(code: ExitCode, [command]: readonly string[]): ExitCode {
  return command === "hook" ? EXIT.ok : code;
}

/** A result that could not be written is no success, whatever came before. */
async function failOutput(cause: Error): Promise<ExitCode> {
  const message = `The result could not be written: ${messageOf(cause)}.`;
  const code = endWithFailure(new BrokerError("outputLost", message, { cause }), err);
  await err.flushed();
  return code;
}

function fail(thrown: unknown, argv: readonly string[]): ExitCode {
  if (asksForJson(argv)) out.json({ error: failureJson(failureOf(thrown)) });
  return endWithFailure(thrown, err);
}

/** Also where the rest of the command line makes no sense. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end === -1 ? undefined : end).includes("--json");
}
