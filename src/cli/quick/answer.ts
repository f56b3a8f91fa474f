import type { CommandModule } from "../command.ts";
import { Given } from "../line/given.ts";
import type { CommandSpec, Options } from "../line/option-spec.ts";
import { readPlainly } from "../line/read-plainly.ts";
import { execute, perform } from "../perform.ts";

/** Runs the one command that this program has; what is not plain is left to the program that can talk. */
export function answer<O extends Options>(spec: CommandSpec<O>, module: CommandModule<O>): void {
  const argv = process.argv.slice(2);
  const args = readPlainly(spec, argv.slice(1));
  if (args === undefined) return void import("../whole.ts");
  const command = { ...spec, load: async () => module };
  void perform(() => execute(command, new Given(spec.name, args)), argv);
}
