import type { QuestionHandler } from "../../client/inbox.ts";
import { decliningAnswer } from "../../wire/declining-answers.ts";
import { RpcError } from "../../wire/messages.ts";
import { wishOf } from "./wish.ts";

/** A question of Codex, and what it was answered. */
export interface Answered {
  readonly method: string;
  readonly decision: "accepted" | "declined";
  /** What it wanted: `run npm test`. Foreign text. */
  readonly wish: string;
}

/** The answers that accept, by the method that asks. Whatever is not here cannot be accepted blindly. */
const ACCEPTANCES: Readonly<Record<string, unknown>> = {
  "item/commandExecution/requestApproval": { decision: "accept" },
  "item/fileChange/requestApproval": { decision: "accept" },
  execCommandApproval: { decision: "approved" },
  applyPatchApproval: { decision: "approved" },
};

/** Not a decision: a plain question of the app-server for the time. */
const NO_DECISION = new Set(["currentTime/read"]);

/** Nobody is asked: what is to be accepted was said beforehand, and everything else is declined. */
export function answerAll(accept: boolean, onAnswer: (answer: Answered) => void): QuestionHandler {
  return (method, params, { item }) => {
    if (NO_DECISION.has(method)) return undefined;
    const acceptance = accept ? ACCEPTANCES[method] : undefined;
    const decision = acceptance === undefined ? "declined" : "accepted";
    onAnswer({ method, decision, wish: wishOf(method, params, item) });
    return acceptance ?? declined(method);
  };
}

/** The refusal in the shape that the method asks for. */
export function declined(method: string): unknown {
  const answer = decliningAnswer(method);
  if ("result" in answer) return answer.result;
  throw new RpcError(answer.error);
}
