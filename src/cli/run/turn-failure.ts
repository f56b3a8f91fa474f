import type { v2 } from "../../app-server/generated/index.ts";
import { BrokerError } from "../../base/errors.ts";
import type { TurnResult } from "../../client/turn.ts";
import { isRecord } from "../../wire/messages.ts";
import { duration } from "../output/amounts.ts";

interface Words {
  readonly why: string;
  readonly hint?: string;
}

const LOG_IN: Words = { why: "the login was refused", hint: "Log in again with `codex login`." };
const LATER = "Try again in a moment.";

/** Codex's own classification, in words. */
const KINDS: Readonly<Record<string, Words>> = {
  usageLimitExceeded: {
    why: "the usage limit of the plan is reached",
    hint: "Wait until it is renewed, or raise it; `codex` shows the limits under /status.",
  },
  rateLimitExceeded: { why: "too many requests in a short time", hint: LATER },
  sessionBudgetExceeded: { why: "the budget of the session is used up" },
  contextWindowExceeded: {
    why: "the conversation no longer fits into the model's context",
    hint: "Begin a new thread: leave out --resume.",
  },
  serverOverloaded: { why: "the model's server is overloaded", hint: LATER },
  flexUnavailable: { why: "the flex tier has no room", hint: LATER },
  internalServerError: { why: "the model's server had an error of its own", hint: LATER },
  unauthorized: LOG_IN,
  badRequest: { why: "the model's server refused the request" },
  modelNotFound: { why: "there is no such model", hint: "Name another one with `--model`." },
  sandboxError: {
    why: "the sandbox could not be set up",
    hint: "Choose another one with `--sandbox`, or mend what it needs.",
  },
  cyberPolicy: { why: "the request was refused by policy" },
  tooManyDenials: {
    why: "too many actions were declined",
    hint: "Allow more with `--approve` or `--sandbox`.",
  },
};

/** Classifications that carry the status of an HTTP answer. */
const TRANSPORT: Readonly<Record<string, string>> = {
  httpConnectionFailed: "the model could not be reached",
  responseStreamConnectionFailed: "the model's answer could not be begun",
  responseStreamDisconnected: "the model's answer broke off",
  responseTooManyFailedAttempts: "the model could not be reached in several attempts",
};

/** What the command line says of a turn that did not complete; undefined for one that did. */
export function turnFailure(
  result: TurnResult,
  timeoutMs: number | undefined,
): BrokerError | undefined {
  const { status, threadId, turnId, error } = result;
  const resume = `Continue the thread with \`codex-broker run --resume ${threadId}\`.`;
  const place = { threadId, turnId };
  switch (status) {
    case "completed":
      return undefined;
    case "interrupted":
      return new BrokerError("turnInterrupted", `The turn was interrupted${because(error)}.`, {
        details: place,
        hint: resume,
      });
    case "timedOut":
      return new BrokerError(
        "timedOut",
        `The turn was not done within ${duration(timeoutMs ?? result.durationMs)} and was interrupted.`,
        {
          details: place,
          hint: `Allow more with \`--timeout\`, or continue: \`codex-broker run --resume ${threadId}\`.`,
        },
      );
    case "failed": {
      const words = wordsFor(error?.codexErrorInfo ?? null);
      const message = [error?.message ?? "", error?.additionalDetails ?? ""]
        .filter((part) => part !== "")
        .join(" ");
      const because = words === undefined ? "" : `, because ${words.why}`;
      const said = message === "" ? "." : `: ${message}`;
      return new BrokerError("turnFailed", `The turn failed${because}${said}`, {
        details: {
          ...place,
          codexErrorInfo: error?.codexErrorInfo ?? null,
          additionalDetails: error?.additionalDetails ?? null,
        },
        hint: hintForVariable(message) ?? words?.hint ?? resume,
      });
    }
  }
}

const MISSING_VARIABLE = /missing environment variable:? `?([A-Za-z_][A-Za-z0-9_]*)/i;

/** Resuming fails again: the configuration names a variable that this environment does not have. */
function hintForVariable(message: string): string | undefined {
  const name = MISSING_VARIABLE.exec(message)?.[1];
  if (name === undefined) return undefined;
  return `Set ${name} in the environment of this command and run this again: a broker with that variable is used.`;
}

/** Of a job, where it is known: nobody sat in front of it. */
function because(error: v2.TurnError | null): string {
  return error === null ? "" : `: ${error.message}`;
}

function wordsFor(info: v2.CodexErrorInfo | null): Words | undefined {
  if (typeof info === "string") return Object.hasOwn(KINDS, info) ? KINDS[info] : undefined;
  if (!isRecord(info)) return undefined;
  for (const [kind, facts] of Object.entries(info)) {
    const why = Object.hasOwn(TRANSPORT, kind) ? TRANSPORT[kind] : undefined;
    if (why === undefined) continue;
    const status = isRecord(facts) ? facts["httpStatusCode"] : undefined;
    if (status === 401 || status === 403) return LOG_IN;
    return typeof status === "number" ? { why: `${why} (HTTP ${status})` } : { why };
  }
  return undefined;
}
