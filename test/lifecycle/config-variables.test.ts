import { describe, expect, test } from "vitest";
import { variablesNamedIn } from "../../src/lifecycle/config-variables.ts";

describe("a configuration names variables (F129)", () => {
  test.each([
    ["of a provider", '[model_providers.x]\nenv_key = "X_KEY"', ["X_KEY"]],
    [
      "of a provider's headers",
      '[model_providers.x.env_http_headers]\n"X-Org" = "X_ORG"',
      ["X_ORG"],
    ],
    ["of an MCP server's token", '[mcp_servers.x]\nbearer_token_env_var = "X_TOKEN"', ["X_TOKEN"]],
    [
      "of an MCP server's environment",
      '[mcp_servers.x]\nenv_vars = ["A", { name = "B", source = "remote" }, "C"]',
      ["A", "B", "C"],
    ],
    ["in tables", '[[mcp_servers.x.env_vars]]\nname = "D"\nsource = "local"', ["D"]],
    ["in a profile", '[profiles.p.mcp_servers.x]\nbearer_token_env_var = "P"', ["P"]],
    ["of a proxy's credential", '[a.b]\nsecret_env_var = "SECRET"', ["SECRET"]],
    ["in an inline table", 'mcp_servers.x = { url = "u", bearer_token_env_var = "T" }', ["T"]],
  ])("%s", (_where, toml, names) => {
    expect(variablesNamedIn(toml)).toEqual(names);
  });

  test("of Amazon Bedrock without saying so", () => {
    expect(variablesNamedIn('model_provider = "amazon-bedrock"')).toContain("AWS_PROFILE");
    expect(variablesNamedIn('name = "amazon-bedrock"')).toEqual([]);
  });

  test("and nothing else is taken for a name", () => {
    const toml = `
      env_key_instructions = "SET_IT"
      exclude_tmpdir_env_var = true
      env_key = "not a name"
      [shell_environment_policy]
      include_only = ["PATH", "SECRET"]
      set = { A = "B" }
      [mcp_servers.x]
      env = { TOKEN = "VALUE" }
      env_vars = ["PATH", "HOME"]`;
    expect(variablesNamedIn(toml)).toEqual([]);
  });
});
