import type { ExitCode } from "../base/errors.ts";
import type { Given } from "./line/given.ts";
import type { CommandSpec, Options } from "./line/option-spec.ts";

/** A command's own file. */
export interface CommandModule<O extends Options = Options> {
  readonly execute: (given: Given<O>) => Promise<ExitCode>;
}

export interface Command<O extends Options = Options> extends CommandSpec<O> {
  readonly load: () => Promise<CommandModule<O>>;
}

/** Lets the compiler see that a command's file reads no option that its specification does not have. */
export function command<const O extends Options>(definition: Command<O>): Command<O> {
  return definition;
}
