import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { commands, SHELLS, type completionOptions } from "../commands.ts";
import { bashCompletion } from "../completion/bash.ts";
import { completable, type CompletableCommand } from "../completion/completable.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { Given } from "../line/given.ts";
import { out } from "../output/output.ts";

type Shell = (typeof SHELLS)[number];

const writers: Readonly<Record<Shell, (commands: readonly CompletableCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function execute(given: Given<typeof completionOptions>): Promise<ExitCode> {
  const [wanted] = given.operands;
  const shell = SHELLS.find((each) => each === wanted);
  if (shell === undefined) {
    throw new BrokerError("usage", `There is no completion for ${String(wanted)}.`, {
      hint: `There is one for ${SHELLS.join(", ")}.`,
    });
  }
  out.write(writers[shell](completable(commands)));
  return Promise.resolve(EXIT.ok);
}
