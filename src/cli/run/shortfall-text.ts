import type { DeclinedRequest, Shortfalls } from "../../wire/shortfalls.ts";
import type { Output } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { wishOf } from "./wish.ts";

export interface DeclinedJson {
  readonly method: string;
  /** What Codex asked for: `run npm test`. Text from outside. */
  readonly wish: string;
  /** What would have allowed it. */
  readonly allowedBy: string;
}

/** Returns the members of a result that say what its turn had to do without. */
export function shortfallsJson({
  declined,
  failedMcpServers,
  unfinishedSubAgents,
}: Shortfalls): Omit<Shortfalls, "declined"> & { readonly declined: readonly DeclinedJson[] } {
  return { declined: declined.map(declinedJson), failedMcpServers, unfinishedSubAgents };
}

/** Prints what a turn had to do without: it may have completed all the same. */
export function printShortfalls(
  { declined, failedMcpServers, unfinishedSubAgents }: Shortfalls,
  to: Output,
): void {
  const warn = (text: string): void => to.line(to.paint("yellow", `! ${printableLine(text)}`));
  for (const { wish, allowedBy } of declined.map(declinedJson)) {
    warn(`declined, because there was nobody to ask: ${wish}`);
    to.line(printableLine(`  → allowed by ${allowedBy}`));
  }
  for (const server of failedMcpServers) warn(mcpFailureText(server));
  for (const threadId of unfinishedSubAgents) {
    warn(`a sub-agent still worked when the turn ended, and was ended with it: thread ${threadId}`);
  }
}

function mcpFailureText({ name, error }: Shortfalls["failedMcpServers"][number]): string {
  return `the MCP server ${name} did not start${error === null ? "" : `: ${error}`}`;
}

function declinedJson({ method, params }: DeclinedRequest): DeclinedJson {
  return { method, wish: wishWithTool(method, params), allowedBy: allowanceOf(method, params) };
}

function wishWithTool(method: string, params: DeclinedRequest["params"]): string {
  const { serverName, tool } = params;
  return method === "mcpServer/elicitation/request" && typeof tool === "string"
    ? `call the MCP tool ${String(serverName)} / ${tool}`
    : wishOf(method, params);
}

function allowanceOf(method: string, { serverName, tool }: DeclinedRequest["params"]): string {
  switch (method) {
    case "item/commandExecution/requestApproval":
    case "execCommandApproval":
      return "a `command` rule in `--policy FILE`";
    case "item/fileChange/requestApproval":
    case "applyPatchApproval":
      return "a `fileChange` rule in `--policy FILE`";
    case "mcpServer/elicitation/request":
      if (typeof tool === "string") return `\`--allow-mcp ${String(serverName)}/${tool}\``;
      return AN_ANSWER;
    default:
      return AN_ANSWER;
  }
}

const AN_ANSWER =
  "an answer at a terminal: `codex-broker run` there, or `codex-broker jobs attach`";
