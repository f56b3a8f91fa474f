import type { v2 } from "../app-server/generated/index.ts";
import { isRecord } from "../wire/messages.ts";
import type { AllowRule, Policy } from "../wire/policy.ts";
import { plainWords } from "./plain-words.ts";
import { checkPolicy } from "./policy-schema.ts";

export interface PolicyQuestion {
  readonly method: string;
  readonly params: unknown;
  /** What Codex wants to do, as its events have announced it. */
  readonly item: v2.ThreadItem | undefined;
}

/**
 * The accepting answer, where a rule allows exactly what is asked; else undefined.
 *
 * @throws BrokerError `usage` when the policy has a member that no rule has.
 */
export function answerByPolicy(policy: Policy, question: PolicyQuestion): unknown {
  checkPolicy(policy);
  const { allow } = policy;
  const wanted = wantedBy(question);
  if (wanted === undefined || !allow.some((rule) => covers(rule, wanted))) return undefined;
  return wanted.kind === "mcpToolCall"
    ? { action: "accept", content: null, _meta: null }
    : { decision: "accept" };
}

/**
 * The approval policy under which Codex asks about MCP tools, where the one that a thread has would
 * refuse them unasked; undefined where nothing has to change. Everything else stays refused unasked.
 */
export function approvalPolicyThatAsks(
  policy: Policy,
  thread: { readonly approvalPolicy: v2.AskForApproval; readonly sandbox: v2.SandboxPolicy },
): v2.AskForApproval | undefined {
  if (!policy.allow.some(({ kind }) => kind === "mcpToolCall")) return undefined;
  const { approvalPolicy } = thread;
  if (typeof approvalPolicy === "object") {
    const { granular } = approvalPolicy;
    return granular.mcp_elicitations
      ? undefined
      : { granular: { ...granular, mcp_elicitations: true } };
  }
  // With full access, Codex calls MCP tools without asking anybody.
  if (approvalPolicy !== "never" || thread.sandbox.type === "dangerFullAccess") return undefined;
  return { granular: { ...NOTHING, mcp_elicitations: true } };
}

const NOTHING = {
  sandbox_approval: false,
  rules: false,
  skill_approval: false,
  request_permissions: false,
};

type Wanted =
  | { readonly kind: "command"; readonly words: readonly string[] }
  | { readonly kind: "fileChange" }
  | { readonly kind: "mcpToolCall"; readonly server: string; readonly tool: string };

function covers(rule: AllowRule, wanted: Wanted): boolean {
  switch (rule.kind) {
    case "command":
      return (
        wanted.kind === "command" &&
        rule.prefix.length > 0 &&
        rule.prefix.every((word, index) => word === wanted.words[index])
      );
    case "fileChange":
      return wanted.kind === "fileChange";
    case "mcpToolCall":
      return (
        wanted.kind === "mcpToolCall" &&
        rule.server === wanted.server &&
        (rule.tool === undefined || rule.tool === wanted.tool)
      );
  }
}

function wantedBy({ method, params, item }: PolicyQuestion): Wanted | undefined {
  if (!isRecord(params)) return undefined;
  switch (method) {
    case "item/commandExecution/requestApproval":
      return wantedCommand(params);
    case "item/fileChange/requestApproval":
      // A root to write under for the rest of the session is more than these changes.
      return isAbsent(params["grantRoot"]) && item?.type === "fileChange"
        ? { kind: "fileChange" }
        : undefined;
    case "mcpServer/elicitation/request":
      return wantedToolCall(params, item);
    default:
      return undefined;
  }
}

/** Input for a running program, network access and further permissions are more than a command. */
function wantedCommand(params: Record<string, unknown>): Wanted | undefined {
  const { kind, command, availableDecisions } = params;
  if (kind !== undefined && kind !== "command") return undefined;
  if (!isAbsent(params["additionalPermissions"])) return undefined;
  if (!isAbsent(params["networkApprovalContext"])) return undefined;
  if (Array.isArray(availableDecisions) && !availableDecisions.includes("accept")) return undefined;
  const words = typeof command === "string" ? plainWords(command) : undefined;
  return words === undefined ? undefined : { kind: "command", words };
}

/**
 * Codex asks for leave to call a tool in the form in which MCP servers ask for data, and a server can
 * write everything in it but its own name. So it takes a call that Codex has announced itself, and an
 * empty form. A tool that says of itself that it only reads is called without being asked about: a
 * question about it comes from the server.
 */
function wantedToolCall(
  params: Record<string, unknown>,
  item: v2.ThreadItem | undefined,
): Wanted | undefined {
  const { mode, serverName, _meta: meta, requestedSchema: schema } = params;
  if (mode !== "form" || !isRecord(meta) || !isRecord(schema)) return undefined;
  if (meta["codex_approval_kind"] !== "mcp_tool_call") return undefined;
  if (!isRecord(schema["properties"]) || Object.keys(schema["properties"]).length > 0) {
    return undefined;
  }
  if (item?.type !== "mcpToolCall" || item.readOnlyHint === true) return undefined;
  if (item.server !== serverName || item.tool !== meta["tool_name"]) return undefined;
  return { kind: "mcpToolCall", server: item.server, tool: item.tool };
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
