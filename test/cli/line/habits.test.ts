import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/base/errors.ts";
import { commands } from "../../../src/cli/commands.ts";
import { readFully } from "../../../src/cli/line/read-fully.ts";

function refusal(...argv: readonly string[]): BrokerError {
  try {
    readFully(commands, argv);
  } catch (error) {
    if (BrokerError.is(error)) return error;
    throw error;
  }
  throw new Error(`${argv.join(" ")} was read`);
}

describe("a mistaken command line", () => {
  test.each([
    ["kill", "stop"],
    ["start", "ensure"],
    ["list", "ps"],
    ["restart", "rotate"],
    ["exec", "run"],
    ["attach", "jobs attach"],
  ])("%s leads to the command that does it: %s (F161)", (word, meant) => {
    expect(refusal(word).message).toContain(`Did you mean ${meant}?`);
    expect(refusal("help", word).message).toContain(`Did you mean ${meant}?`);
  });

  test("a misspelt command leads to the one that is spelt most like it (F161)", () => {
    expect(refusal("docter").message).toContain("Did you mean doctor?");
    expect(refusal("help", "docter").message).toContain("Did you mean doctor?");
  });

  test("help for what is no command is one sentence, and names the help that there is (F161)", () => {
    const error = refusal("help", "nope");
    expect(error.message).toBe('There is no command "nope".');
    expect(error.hint).toBe("See `codex-broker --help`.");
  });

  test("an option before the command says where options stand (F161)", () => {
    expect(refusal("--json", "run").hint).toContain("`codex-broker run --json`");
    expect(refusal("--jsn").message).toBe('The option "--jsn" stands before the command.');
  });

  test("--watch leads to --follow where there is one, else to watch (F161)", () => {
    expect(refusal("logs", "--watch").message).toContain("Did you mean --follow?");
    expect(refusal("status", "--watch", "--cwd", "/a b").message).toContain(
      "`watch codex-broker status --cwd '/a b'`",
    );
  });

  test("a prompt without a command leads to run (F161)", () => {
    expect(refusal("explain this").message).toContain('Did you mean run "…"?');
  });
});
