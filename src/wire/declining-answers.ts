import type { RpcErrorObject } from "./messages.ts";

export type Declined = { readonly result: unknown } | { readonly error: RpcErrorObject };

const WHY = "codex-broker: nobody is there who could answer";

/**
 * The answer that refuses, in the shape that each kind of request asks for. Never an acceptance, and
 * an error only where the protocol has no body that refuses.
 */
export function decliningAnswer(method: string): Declined {
  switch (method) {
    case "item/commandExecution/requestApproval":
    case "item/fileChange/requestApproval":
      return { result: { decision: "decline" } };
    case "item/permissions/requestApproval":
      return { result: { permissions: {}, scope: "turn" } };
    case "item/tool/requestUserInput":
      return { result: { answers: {} } };
    case "mcpServer/elicitation/request":
      return { result: { action: "decline", content: null, _meta: null } };
    case "item/tool/call":
      return { result: { contentItems: [{ type: "inputText", text: WHY }], success: false } };
    case "applyPatchApproval":
    case "execCommandApproval":
      return { result: { decision: { denied: { rejection: WHY } } } };
    case "currentTime/read":
      return { result: { currentTimeAt: Math.floor(Date.now() / 1000) } };
    default:
      return { error: { code: -32000, message: WHY } };
  }
}
