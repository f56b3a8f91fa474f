import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("mcp-server.mjs", import.meta.url));

/**
 * The table of a `config.toml` that gives Codex an MCP server with the tools that stand in
 * `mcp-server.mjs`.
 *
 * Codex starts one for each thread, in the thread's directory and with a cleaned environment.
 */
export function mcpServerTable(name: string): string {
  return [
    `[mcp_servers.${name}]`,
    `command = ${JSON.stringify(process.execPath)}`,
    `args = [${JSON.stringify(PROGRAM)}]`,
    // Otherwise the model may be asked before its tools are there.
    "required = true",
  ].join("\n");
}

export const MCP_SERVER_TABLE: string = mcpServerTable("notes");

/** The same server as the `config` of one thread has it. */
export const mcpServerConfig = {
  command: process.execPath,
  args: [PROGRAM],
  required: true,
};
