import type { QuestionHandler } from "../../client/inbox.ts";
import { isRecord } from "../../wire/messages.ts";
import { withoutShell } from "./work.ts";

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
  return (method, params) => {
    if (NO_DECISION.has(method)) return undefined;
    const acceptance = accept ? ACCEPTANCES[method] : undefined;
    const decision = acceptance === undefined ? "declined" : "accepted";
    onAnswer({ method, decision, wish: wishOf(method, params) });
    // Left unanswered here, it is declined by the client in the shape that the method asks for.
    return acceptance;
  };
}

function wishOf(method: string, params: unknown): string {
  const asked = isRecord(params) ? params : {};
  const text = (name: string): string => {
    const value = asked[name];
    return typeof value === "string" ? value : "";
  };
  switch (method) {
    case "item/commandExecution/requestApproval":
      return `run ${withoutShell(text("command")) || text("reason")}`;
    case "execCommandApproval":
      return `run ${Array.isArray(asked["command"]) ? asked["command"].map(String).join(" ") : ""}`;
    case "item/fileChange/requestApproval":
    case "applyPatchApproval":
      return `change files${text("reason") === "" ? "" : `: ${text("reason")}`}`;
    case "item/permissions/requestApproval":
      return `get more permissions${text("reason") === "" ? "" : `: ${text("reason")}`}`;
    case "item/tool/requestUserInput":
      return "ask a question";
    case "mcpServer/elicitation/request":
      return `answer the MCP server ${text("serverName")}: ${text("message")}`;
    case "item/tool/call":
      return `call the tool ${text("tool")}`;
    default:
      return `do ${method}`;
  }
}
