import { startScriptedModel } from "../../test/support/scripted-model.ts";

/** The scripted model as a process: says where it is, and ends with its standard input. */
const model = await startScriptedModel();
process.stdout.write(`${model.url}\n`);
process.stdin.resume().once("end", () => process.exit(0));
