/** Something that Codex may do without a person being asked. */
export type AllowRule =
  /** Commands that begin with these words, and are nothing but words to a shell. */
  | { readonly kind: "command"; readonly prefix: readonly string[] }
  /** Changes of files that Codex would ask about. */
  | { readonly kind: "fileChange" }
  /** Calls of this tool of this MCP server, or of all its tools. */
  | { readonly kind: "mcpToolCall"; readonly server: string; readonly tool?: string };

/** What is allowed beforehand. Nothing else is ever accepted by it. */
export interface Policy {
  readonly allow: readonly AllowRule[];
}
