import { isRecord } from "../../wire/messages.ts";
import { withoutShell } from "./work.ts";

/** What Codex asks for, in words after "may it": `run npm test`. Foreign text. */
export function wishOf(method: string, params: unknown): string {
  const asked = isRecord(params) ? params : {};
  const text = (name: string): string => {
    const value = asked[name];
    return typeof value === "string" ? value : "";
  };
  const because = text("reason") === "" ? "" : `: ${text("reason")}`;
  switch (method) {
    case "item/commandExecution/requestApproval":
      return `run ${withoutShell(text("command")) || text("reason")}`;
    case "execCommandApproval":
      return `run ${Array.isArray(asked["command"]) ? asked["command"].map(String).join(" ") : ""}`;
    case "item/fileChange/requestApproval":
    case "applyPatchApproval":
      return `change files${because}`;
    case "item/permissions/requestApproval":
      return `get more permissions${because}`;
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
