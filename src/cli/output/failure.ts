import {
  BrokerError,
  EXIT,
  messageOf,
  type BrokerErrorJson,
  type ExitCode,
} from "../../base/errors.ts";
import { systemLimitOf } from "../../base/system-limit.ts";
import { RpcError } from "../../wire/messages.ts";
import { printableLine } from "./printable.ts";
import type { Output } from "./output.ts";
import { truncate } from "./width.ts";

/** A failure as `--json` shows it. The app-server's own errors have a kind that is none of ours. */
export interface FailureJson extends Omit<BrokerErrorJson, "kind"> {
  readonly kind: BrokerErrorJson["kind"] | "appServerError" | "defect";
}

export interface Failure extends FailureJson {
  readonly exitCode: ExitCode;
}

/** Whatever was thrown, in the words of the command line. */
export function failureOf(thrown: unknown): Failure {
  const limit = BrokerError.is(thrown) ? undefined : systemLimitOf(thrown);
  if (limit !== undefined) return { ...limit.toJSON(), exitCode: limit.exitCode };
  if (BrokerError.is(thrown)) return { ...thrown.toJSON(), exitCode: thrown.exitCode };
  if (thrown instanceof RpcError) {
    return {
      kind: "appServerError",
      message: `Codex answered: ${thrown.message}`,
      retryable: false,
      hint: "This is the app-server's own error, unaltered; `codex-broker logs` shows what else it said.",
      details: { code: thrown.code, ...(thrown.data === undefined ? {} : { data: thrown.data }) },
      exitCode: EXIT.turnFailed,
    };
  }
  return {
    kind: "defect",
    message: `This should not have happened: ${messageOf(thrown)}`,
    retryable: false,
    hint: "Run it again with CODEX_BROKER_DEBUG=1 and report what it says.",
    details: {},
    exitCode: EXIT.turnFailed,
  };
}

export function failureJson({ kind, message, retryable, hint, details }: Failure): FailureJson {
  return { kind, message, retryable, hint, details };
}

/** The app-server answers a wrong method with the names of all 187 that there are. */
const LONGEST_MESSAGE = 600;

/** One line with what happened, and one with what to do next. */
export function printFailure(failure: Failure, to: Output): void {
  const message = truncate(printableLine(failure.message), LONGEST_MESSAGE);
  to.line(to.paint("red", `codex-broker: ${message}`));
  if (failure.hint !== "") to.line(to.paint("dim", `  → ${printableLine(failure.hint)}`));
}

/** The last words of a command that has failed. */
export function endWithFailure(thrown: unknown, to: Output): ExitCode {
  const failure = failureOf(thrown);
  printFailure(failure, to);
  if (process.env["CODEX_BROKER_DEBUG"] === "1") printStacks(thrown, to);
  return failure.exitCode;
}

/** For whoever looks for the defect: the stacks of the error and of what caused it. */
function printStacks(thrown: unknown, to: Output): void {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    to.line(error.stack ?? error.message);
  }
}
