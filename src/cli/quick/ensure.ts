import * as commandModule from "../commands/ensure.ts";
import { quick } from "../quick-commands.ts";
import { answer } from "./answer.ts";

answer(quick.ensure, commandModule);
