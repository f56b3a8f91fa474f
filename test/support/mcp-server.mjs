/**
 * A tiny MCP server over standard streams, for Codex to start: its tool `note` gives back its text, its tool `hang`
 * never answers. It ends with its input.
 */
import { StringDecoder } from "node:string_decoder";

const TOOLS = ["note", "hang"].map((name) => ({
  name,
  description: `The tool ${name}.`,
  inputSchema: { type: "object", properties: { text: { type: "string" } } },
}));

/**
 * @typedef {{ protocolVersion?: string, name?: string, arguments?: { text?: string } }} Params
 *
 * @param {{ id?: unknown, method: string, params?: Params }} message
 * @returns {object | undefined}
 */
function answer({ id, method, params = {} }) {
  if (id === undefined || params.name === "hang") return undefined;
  switch (method) {
    case "initialize":
      return {
        result: {
          protocolVersion: params.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "notes", version: "0" },
        },
      };
    case "tools/list":
      return { result: { tools: TOOLS } };
    case "tools/call":
      return {
        result: {
          content: [{ type: "text", text: `noted: ${params.arguments?.text ?? "nothing"}` }],
        },
      };
    default:
      return { error: { code: -32601, message: `no method ${method}` } };
  }
}

const decoder = new StringDecoder("utf8");
let pending = "";
process.stdin.on("data", (bytes) => {
  const lines = (pending + decoder.write(bytes)).split("\n");
  pending = lines.pop() ?? "";
  for (const line of lines.filter((text) => text.trim() !== "")) {
    const message = JSON.parse(line);
    const outcome = answer(message);
    if (outcome === undefined) continue;
    process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: message.id, ...outcome })}\n`);
  }
});
