import * as commandModule from "../commands/call.ts";
import { quick } from "../quick-commands.ts";
import { answer } from "./answer.ts";

answer(quick.call, commandModule);
