import * as commandModule from "../commands/status.ts";
import { quick } from "../quick-commands.ts";
import { answer } from "./answer.ts";

answer(quick.status, commandModule);
