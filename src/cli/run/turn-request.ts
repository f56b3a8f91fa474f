import { realpathSync } from "node:fs";
import { BrokerError, messageOf } from "../../base/errors.ts";
import type { TurnOptions } from "../../client/turn-options.ts";
import { runOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { readTextFile } from "./prompt.ts";
import { wantedPolicy } from "./wanted-policy.ts";

/** The turn as the options describe it, without its prompt and its thread. */
export type TurnRequest = Omit<TurnOptions, "prompt" | "threadId">;

/** @throws BrokerError `usage`. */
export function turnRequest(given: Given<typeof runOptions>): TurnRequest {
  const model = given.text("model");
  const effort = given.text("effort");
  const approvalPolicy = given.choice("approval", runOptions.approval.choices);
  const schemaFile = given.text("output-schema");
  const timeoutMs = given.seconds("timeout");
  const policy = wantedPolicy(given, process.env);
  const cwd = workingDirectory(given);
  if (given.has("ephemeral") && given.has("resume")) {
    throw new BrokerError("usage", "--ephemeral is for new threads, --resume for those on disk.");
  }
  return {
    ...(cwd === undefined ? {} : { cwd }),
    ...(model === undefined ? {} : { model }),
    ...(effort === undefined ? {} : { effort }),
    ...(approvalPolicy === undefined ? {} : { approvalPolicy }),
    ...(policy === undefined ? {} : { policy }),
    ...(schemaFile === undefined ? {} : { outputSchema: readSchema(schemaFile) }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(given.has("ephemeral") ? { ephemeral: true } : {}),
    ...(given.has("queue") ? { whenBusy: "queue" } : {}),
  };
}

/** A new thread works where the command was typed; one that is resumed where it worked before. */
function workingDirectory(given: Given<typeof runOptions>): string | undefined {
  const named = given.text("cwd");
  if (named === undefined && given.has("resume")) return undefined;
  try {
    return realpathSync.native(named ?? process.cwd());
  } catch {
    // The search for the workspace says it better.
    return undefined;
  }
}

function readSchema(file: string): unknown {
  const source = readTextFile("output schema", file);
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new BrokerError("usage", `The output schema is not JSON: ${messageOf(error)}.`, {
      hint: `Correct ${file}.`,
    });
  }
}
