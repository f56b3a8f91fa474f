import type { v2 } from "../../app-server/generated/index.ts";
import { isRecord } from "../../wire/messages.ts";
import { withoutShell } from "./work.ts";

/**
 * Returns what Codex asks for, in words after "may it": `run npm test`. Names the facts alone, and not
 * the reason that the model gives: this is the line that says what was accepted. Text from outside.
 */
export function wishOf(method: string, params: unknown, item?: v2.ThreadItem): string {
  const asked = isRecord(params) ? params : {};
  const text = (name: string): string => {
    const value = asked[name];
    return typeof value === "string" ? value : "";
  };
  switch (method) {
    case "item/commandExecution/requestApproval":
      return asked["kind"] === "writeStdin"
        ? `type into a running program: ${text("command")}`
        : `run ${withoutShell(text("command"))}`;
    case "execCommandApproval":
      return `run ${Array.isArray(asked["command"]) ? asked["command"].map(String).join(" ") : ""}`;
    case "item/fileChange/requestApproval":
      return item?.type === "fileChange"
        ? `change files: ${item.changes.map(({ kind, path }) => `${kind.type} ${path}`).join(", ")}`
        : "change files";
    case "applyPatchApproval":
      return `change files: ${isRecord(asked["fileChanges"]) ? Object.keys(asked["fileChanges"]).join(", ") : ""}`;
    case "item/permissions/requestApproval":
      return `get more permissions: ${JSON.stringify(asked["permissions"] ?? {})}`;
    case "item/tool/requestUserInput":
      return "ask a question";
    case "mcpServer/elicitation/request":
      return item?.type === "mcpToolCall"
        ? `call the MCP tool ${item.server} / ${item.tool}`
        : `answer the MCP server ${text("serverName")}`;
    case "item/tool/call":
      return `call the tool ${text("tool")}`;
    default:
      return `do ${method}`;
  }
}
