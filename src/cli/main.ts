import type { Command } from "./command.ts";
import { Given } from "./line/given.ts";
import { readPlainly } from "./line/read-plainly.ts";
import { execute, perform } from "./perform.ts";
import { quick } from "./quick-commands.ts";

const argv = process.argv.slice(2);
const [name, ...rest] = argv;
const command: Command | undefined = Object.values(quick).find((each) => each.name === name);
const args = command === undefined ? undefined : readPlainly(command, rest);
if (command === undefined || args === undefined) void import("./whole.ts");
else void perform(() => execute(command, new Given(command.name, args)), argv);
