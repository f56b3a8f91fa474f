import { BrokerError } from "../../base/errors.ts";
import { Deadline, monotonicMs } from "../../base/deadline.ts";
import { connectBroker } from "../../client/connect.ts";
import { answerAll } from "../run/approvals.ts";
import { confine } from "../run/confinement.ts";
import { requireLogin } from "../run/login.ts";
import { turnFailure } from "../run/turn-failure.ts";
import { failureOf } from "../output/failure.ts";
import { clientInfo } from "../workspace/wanted.ts";
import type { GateOutcome } from "./gate-outcome.ts";
import { gateAnswerIn, gatePrompt, gateSchema } from "./gate-request.ts";

/** For Codex to confirm that an interrupted turn has ended, and for us to say so. */
const LEAVE_MS = 2_000;

export interface GateRequest {
  readonly cwd: string;
  readonly lastMessage: string;
  readonly deadline: Deadline;
}

/**
 * Has Codex look at the latest work. Not to have an answer is an outcome of its own, and never throws.
 * The turn is this process's: it is interrupted when the time is up, and when the host ends the hook.
 */
export async function runGate(request: GateRequest): Promise<GateOutcome> {
  const startedAt = monotonicMs();
  const timedOut = (): GateOutcome => ({ kind: "timedOut", afterMs: monotonicMs() - startedAt });
  try {
    return await request.deadline.race(review(request), () => new TooLate("the time is up"));
  } catch (error) {
    if (error instanceof TooLate) return timedOut();
    if (BrokerError.is(error) && error.kind === "timedOut") return timedOut();
    const { message, hint } = failureOf(error);
    return { kind: "couldNotRun", why: message, hint };
  }
}

async function review({ cwd, lastMessage, deadline }: GateRequest): Promise<GateOutcome> {
  await using client = await connectBroker({
    cwd,
    private: false,
    clientInfo: clientInfo("review gate"),
    startTimeoutMs: deadline.remainingMs,
  });
  await requireLogin(client);
  const { confining } = await confine(client, { cwd, asked: undefined, otherwise: "read-only" });
  const timeoutMs = Math.max(1, deadline.remainingMs - LEAVE_MS);
  const result = await client.runTurn({
    prompt: gatePrompt(lastMessage),
    cwd,
    ...confining,
    approvalPolicy: "never",
    outputSchema: gateSchema,
    onQuestion: answerAll(false, () => {}),
    timeoutMs,
  }).result;
  const failure = turnFailure(result, timeoutMs);
  if (failure !== undefined) throw failure;
  const answer = gateAnswerIn(result.message);
  if (answer === undefined) {
    return {
      kind: "couldNotRun",
      why: "Codex's answer was not in the form that it was asked for.",
      hint: `See it with \`codex resume ${result.threadId}\`.`,
    };
  }
  const { verdict, summary, findings } = answer;
  if (verdict === "pass") return { kind: "ok", summary };
  return { kind: "findings", summary, findings, threadId: result.threadId };
}

class TooLate extends Error {}
