import { EXIT } from "../../base/errors.ts";

/** What each exit code says, for the help. */
export const EXIT_MEANINGS: ReadonlyArray<readonly [code: number, meaning: string]> = [
  [EXIT.ok, "all went well"],
  [EXIT.turnFailed, "the turn failed, or Codex refused the request"],
  [EXIT.usage, "the command line makes no sense"],
  [EXIT.couldNotStart, "no broker or no Codex could be had"],
  [EXIT.lost, "the broker or its app-server went away meanwhile"],
  [EXIT.timedOut, "the time was up"],
  [EXIT.foundWrong, "the doctor found something wrong"],
  [EXIT.outputLost, "the result could not be written"],
  [EXIT.interrupted, "interrupted"],
];
