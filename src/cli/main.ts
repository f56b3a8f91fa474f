import { EXIT, type ExitCode } from "../base/errors.ts";
import { BROKER_VERSION } from "../base/version.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { Given } from "./line/given.ts";
import { readPlainly } from "./line/read-plainly.ts";
import { endWithFailure, failureJson, failureOf } from "./output/failure.ts";
import { err, out } from "./output/output.ts";

const table: readonly Command[] = commands;

async function main(argv: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = argv;
  if (argv.length === 1 && (name === "--version" || name === "-V")) {
    out.line(BROKER_VERSION);
    return EXIT.ok;
  }
  const plain = table.find((command) => command.name === name);
  const args = plain === undefined ? undefined : readPlainly(plain, rest);
  if (plain !== undefined && args !== undefined) {
    return await execute(plain, new Given(plain.name, args));
  }

  const { readFully } = await import("./line/read-fully.ts");
  const reading = readFully(table, argv);
  if (reading === undefined) return EXIT.ok;
  const command = table.find((each) => each.name === reading.command);
  if (command === undefined) throw new Error(`${reading.command} was read, but is no command`);
  return await execute(command, new Given(command.name, reading.args));
}

async function execute(command: Command, given: Given): Promise<ExitCode> {
  if (process.env["CODEX_BROKER_DEBUG"] === "1") {
    const { onTrace } = await import("../base/trace.ts");
    onTrace((event) => err.line(err.paint("dim", JSON.stringify(event))));
  }
  const { execute } = await command.load();
  return await execute(given);
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

const argv = process.argv.slice(2);
// A defect anywhere must still end as one line.
process.on("uncaughtException", (thrown) => process.exit(fail(thrown, argv)));
const code = await main(argv).catch((thrown: unknown) => fail(thrown, argv));
await Promise.all([out.flushed(), err.flushed()]);
// What is still open (a connection that is being closed, stdin) must not delay the end.
process.exit(code);
