import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("mcp-server.mjs", import.meta.url));

/**
 * The table of a `config.toml` that gives Codex an MCP server `notes` with the tools `note` and `hang`.
 *
 * Codex starts one for each thread, in the thread's directory and with a cleaned environment.
 */
export const MCP_SERVER_TABLE: string = [
  "[mcp_servers.notes]",
  `command = ${JSON.stringify(process.execPath)}`,
  `args = [${JSON.stringify(PROGRAM)}]`,
].join("\n");
