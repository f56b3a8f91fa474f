import { BrokerError, messageOf } from "../../base/errors.ts";
import { faultOfPolicy } from "../../policy/policy-schema.ts";
import type { AllowRule, Policy } from "../../wire/policy.ts";
import { runOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { readTextFile } from "./prompt.ts";

/** Server or server/tool, parted by commas. */
export const ALLOW_MCP_VARIABLE = "CODEX_BROKER_ALLOW_MCP";

/**
 * What the options and the environment allow beforehand; undefined when that is nothing.
 *
 * @throws BrokerError `usage`.
 */
export function wantedPolicy(
  given: Given<typeof runOptions>,
  env: NodeJS.ProcessEnv,
): Policy | undefined {
  const file = given.text("policy");
  const setting = (env[ALLOW_MCP_VARIABLE] ?? "").split(",").filter((each) => each.trim() !== "");
  const allow = [
    ...(file === undefined ? [] : policyIn(file).allow),
    ...given.texts("allow-mcp").map((value) => toolRule("--allow-mcp", value)),
    ...setting.map((value) => toolRule(ALLOW_MCP_VARIABLE, value.trim())),
  ];
  return allow.length === 0 ? undefined : { allow };
}

function toolRule(source: string, value: string): AllowRule {
  const [server = "", ...rest] = value.split("/");
  const tool = rest.join("/");
  if (server === "" || (rest.length > 0 && tool === "")) {
    throw new BrokerError("usage", `${source} takes SERVER or SERVER/TOOL, not ${quoted(value)}.`);
  }
  return rest.length === 0
    ? { kind: "mcpToolCall", server }
    : { kind: "mcpToolCall", server, tool };
}

function policyIn(file: string): Policy {
  const source = readTextFile("policy", file);
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw broken(file, `it is not JSON: ${messageOf(error)}`);
  }
  const fault = faultOfPolicy(value);
  if (fault !== undefined) throw broken(file, fault);
  return value as Policy;
}

function broken(file: string, why: string): BrokerError {
  return new BrokerError("usage", `The policy in ${file} cannot be used: ${why}.`, {
    hint: `Correct it; docs/cli.md has an example.`,
  });
}

function quoted(value: string): string {
  return JSON.stringify(value);
}
