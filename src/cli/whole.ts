import { EXIT, type ExitCode } from "../base/errors.ts";
import { BROKER_VERSION } from "../base/version.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { Given } from "./line/given.ts";
import { readPlainly } from "./line/read-plainly.ts";
import { out } from "./output/output.ts";
import { execute, perform } from "./perform.ts";

/** Every command, and whoever needs help with one. */
const table: readonly Command[] = commands;

async function main(argv: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = argv;
  if (argv.length === 1 && asksForVersion(name)) {
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

/** The last two are habits from other programs. */
function asksForVersion(word: string | undefined): boolean {
  return ["--version", "-V", "-v", "version"].includes(word ?? "");
}

const argv = process.argv.slice(2);
void perform(() => main(argv), argv);
