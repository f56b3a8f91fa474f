/** Something that Codex may do without a person being asked. */
export type AllowRule =
  | CommandRule
  /**
   * Changes of files below a directory; default: the workspace. A directory named `.git`, `.codex` or
   * `.agents` is only covered when `under` names it, because its files are programs or settings.
   */
  | { readonly kind: "fileChange"; readonly under?: string }
  /** Calls of this tool of this MCP server, or of all its tools. */
  | { readonly kind: "mcpToolCall"; readonly server: string; readonly tool?: string };

/**
 * Commands that are nothing but words to a shell, run in one directory of the local environment. Has
 * either `command` or `prefix`.
 */
export interface CommandRule {
  readonly kind: "command";
  /** Exactly these words. */
  readonly command?: readonly string[];
  /** These words, and any others after them: also every option of the program. */
  readonly prefix?: readonly string[];
  /** The directory, from the workspace on. Default: the workspace itself. */
  readonly cwd?: string;
}

/** What is allowed beforehand. Nothing else is ever accepted by it. */
export interface Policy {
  readonly allow: readonly AllowRule[];
}
