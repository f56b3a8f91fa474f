import path from "node:path";
import type { v2 } from "../app-server/generated/index.ts";
import { isRecord } from "../wire/messages.ts";
import type { AllowRule, CommandRule, Policy } from "../wire/policy.ts";
import { plainWords } from "./plain-words.ts";
import { isBelow, isSamePlace } from "./real-place.ts";
import { checkPolicy } from "./policy-schema.ts";

export interface PolicyQuestion {
  readonly method: string;
  readonly params: unknown;
  /** What Codex wants to do, as its events have announced it. */
  readonly item: v2.ThreadItem | undefined;
  /** The top directory of the work: rules hold there, and relative paths of rules begin there. */
  readonly workspace: string;
}

/**
 * Returns the accepting response, where a rule allows exactly what is asked; else undefined. Paths are
 * compared as real paths. One that cannot be resolved in time is in no rule.
 *
 * @throws BrokerError `usage` when the policy has a fault.
 */
export async function answerByPolicy(policy: Policy, question: PolicyQuestion): Promise<unknown> {
  checkPolicy(policy);
  const requested = requestedBy(question);
  if (requested === undefined) return undefined;
  for (const rule of policy.allow) {
    if (!(await covers(rule, requested, question.workspace))) continue;
    return requested.kind === "mcpToolCall"
      ? { action: "accept", content: null, _meta: null }
      : { decision: "accept" };
  }
  return undefined;
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

type Requested =
  | { readonly kind: "command"; readonly words: readonly string[]; readonly cwd: string }
  | { readonly kind: "fileChange"; readonly paths: readonly string[] }
  | { readonly kind: "mcpToolCall"; readonly server: string; readonly tool: string };

async function covers(rule: AllowRule, requested: Requested, workspace: string): Promise<boolean> {
  switch (rule.kind) {
    case "command":
      return requested.kind === "command" && (await coversCommand(rule, requested, workspace));
    case "fileChange":
      return requested.kind === "fileChange" && (await coversFiles(rule, requested, workspace));
    case "mcpToolCall":
      return (
        requested.kind === "mcpToolCall" &&
        rule.server === requested.server &&
        (rule.tool === undefined || rule.tool === requested.tool)
      );
  }
}

/**
 * The directory is part of the rule: in one that the model chooses, `npm test` and `./check` are
 * programs of the model's choice.
 */
async function coversCommand(
  { command, prefix, cwd: ruleCwd = "." }: CommandRule,
  { words, cwd }: Extract<Requested, { kind: "command" }>,
  workspace: string,
): Promise<boolean> {
  const named = command ?? prefix ?? [];
  if (command !== undefined && command.length !== words.length) return false;
  if (named.length === 0 || !named.every((word, index) => word === words[index])) return false;
  return await isSamePlace(path.resolve(workspace, ruleCwd), cwd);
}

/** Files that Codex or git reads as programs or settings. */
const PROTECTED = new Set([".git", ".codex", ".agents"]);

async function coversFiles(
  { under = "." }: Extract<AllowRule, { kind: "fileChange" }>,
  { paths }: Extract<Requested, { kind: "fileChange" }>,
  workspace: string,
): Promise<boolean> {
  const root = path.resolve(workspace, under);
  for (const each of paths) {
    const below = await isBelow(root, path.resolve(workspace, each));
    if (below === undefined) return false;
    if (below.split(path.sep).some((name) => PROTECTED.has(name.toLowerCase()))) return false;
  }
  return paths.length > 0;
}

function requestedBy({ method, params, item }: PolicyQuestion): Requested | undefined {
  if (!isRecord(params)) return undefined;
  switch (method) {
    case "item/commandExecution/requestApproval":
      return requestedCommand(params);
    case "item/fileChange/requestApproval":
      // A root to write under for the rest of the session is more than these changes.
      return isAbsent(params["grantRoot"]) && item?.type === "fileChange"
        ? { kind: "fileChange", paths: item.changes.flatMap(pathsOf) }
        : undefined;
    case "mcpServer/elicitation/request":
      return requestedToolCall(params, item);
    default:
      return undefined;
  }
}

/** Where a change writes: for a file that is moved, both places. */
function pathsOf({ path: file, kind }: v2.FileUpdateChange): readonly string[] {
  const to = kind.type === "update" ? kind.move_path : null;
  return to === null ? [file] : [file, to];
}

/** Input for a running program, network access and further permissions are more than a command. */
function requestedCommand(params: Record<string, unknown>): Requested | undefined {
  const { kind, command, cwd, environmentId, availableDecisions } = params;
  if (kind !== undefined && kind !== "command") return undefined;
  if (!isAbsent(params["additionalPermissions"])) return undefined;
  if (!isAbsent(params["networkApprovalContext"])) return undefined;
  if (Array.isArray(availableDecisions) && !availableDecisions.includes("accept")) return undefined;
  // The words name another program elsewhere, and so does a directory that is not known.
  if (!isAbsent(environmentId) && environmentId !== "local") return undefined;
  if (typeof cwd !== "string" || !path.isAbsolute(cwd)) return undefined;
  const words = typeof command === "string" ? plainWords(command) : undefined;
  return words === undefined ? undefined : { kind: "command", words, cwd };
}

/**
 * Codex asks for leave to call a tool in the form in which MCP servers ask for data, and a server can
 * write everything in it but its own name. So it takes a call that Codex has announced itself, and an
 * empty form. A tool that says of itself that it only reads is called without being asked about: a
 * question about it comes from the server.
 */
function requestedToolCall(
  params: Record<string, unknown>,
  item: v2.ThreadItem | undefined,
): Requested | undefined {
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
