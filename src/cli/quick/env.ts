import * as commandModule from "../commands/env.ts";
import { quick } from "../quick-commands.ts";
import { answer } from "./answer.ts";

answer(quick.env, commandModule);
