import { type Json, type JsonObject, at, listAt, textAt } from "./json.ts";
import type { Step } from "./model-script.ts";

/** A call of a tool, as an output item names it. */
export interface FunctionCall {
  readonly name: string;
  /** The group that the tool was offered in, where it was. */
  readonly namespace?: string;
  /** JSON text. */
  readonly arguments: string;
}

/** Texts that Codex itself puts into the user's mouth: `<environment_context>…` and the like. */
const BY_CODEX = /^<[a-z_]+>/;

/** The text of the last message that the user wrote; empty when there is none. */
export function promptOf(body: Json): string {
  const input = items(body);
  const message = input[lastPrompt(input)];
  return message === undefined ? "" : contentText(message);
}

/** What the tools gave since the last message that the user wrote, in order. */
export function outputsOf(body: Json): readonly string[] {
  const input = items(body);
  return input
    .slice(lastPrompt(input) + 1)
    .filter((item) => at(item, "type") === "function_call_output")
    .map(plainOutput);
}

/**
 * The call that a step asks for, shaped for the tools that the request offers; `undefined` when a shell is asked for and
 * none is offered.
 */
export function callOf(
  step: Step & { kind: "shell" | "tool" },
  body: Json,
): FunctionCall | undefined {
  const tools = offered(body);
  if (step.kind === "tool") {
    const tool = tools.find(({ name }) => name === step.name);
    return { name: step.name, arguments: step.args, ...namespaceOf(tool) };
  }
  const tool = tools.find(({ name }) => name in SHELLS);
  if (tool === undefined) return undefined;
  const args = { ...SHELLS[tool.name]?.(step.command), ...(step.ask ? escalation(tool) : {}) };
  return { name: tool.name, arguments: JSON.stringify(args) };
}

interface Tool {
  readonly name: string;
  readonly namespace?: string;
  readonly definition: Json;
}

/** The shell tools that Codex has offered over its releases, with the arguments that each takes. */
const SHELLS: Readonly<Record<string, (command: string) => JsonObject>> = {
  // A command that has not ended by then goes on in the background, and 30 s is the most that Codex waits.
  // A login shell would add whatever the user's profile says.
  exec_command: (cmd) => ({ cmd, yield_time_ms: 30_000, login: false }),
  shell_command: (command) => ({ command }),
  shell: (command) => ({ command: ["bash", "-lc", command] }),
};

function escalation(tool: Tool): JsonObject {
  const justification = "the script asks for it";
  const asksByName = at(tool.definition, "parameters.properties.sandbox_permissions") !== undefined;
  return asksByName
    ? { sandbox_permissions: "require_escalated", justification }
    : { with_escalated_permissions: true, justification };
}

function offered(body: Json): readonly Tool[] {
  return listAt(body, "tools").flatMap((definition) => {
    const name = toolName(definition);
    if (at(definition, "type") !== "namespace") return [{ name, definition }];
    return listAt(definition, "tools").map((inner) => ({
      name: toolName(inner),
      namespace: name,
      definition: inner,
    }));
  });
}

/** Tools of the service itself, such as web search, have a type and no name. */
function toolName(definition: Json): string {
  return textAt(definition, at(definition, "name") === undefined ? "type" : "name");
}

function namespaceOf(tool: Tool | undefined): { namespace?: string } {
  return tool?.namespace === undefined ? {} : { namespace: tool.namespace };
}

function items(body: Json): readonly Json[] {
  return listAt(body, "input");
}

function lastPrompt(input: readonly Json[]): number {
  return input.findLastIndex(
    (item) => at(item, "role") === "user" && !BY_CODEX.test(contentText(item)),
  );
}

function contentText(item: Json): string {
  return joinTexts(listAt(item, "content"));
}

function plainOutput(item: Json): string {
  const output = at(item, "output");
  const text = typeof output === "string" ? output : joinTexts(listAt(item, "output"));
  // Codex puts its own account of the run before what the command wrote.
  return text.replace(/^.*?\nOutput:\n/s, "").trim();
}

function joinTexts(parts: readonly Json[]): string {
  return parts
    .map((part) => at(part, "text"))
    .filter((text) => typeof text === "string")
    .join("\n");
}
