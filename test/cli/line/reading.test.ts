import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CommandSpec } from "../../../src/cli/line/option-spec.ts";
import { commands } from "../../../src/cli/commands.ts";
import { readFully } from "../../../src/cli/line/read-fully.ts";
import { readPlainly } from "../../../src/cli/line/read-plainly.ts";

const specs: readonly CommandSpec[] = commands;

function spec(name: string): CommandSpec {
  return specs.find((each) => each.name === name)!;
}

const THREAD = "01a204ee-528c-7bb0-85ba-d2339e94b7bd";

describe("reading a plain command line", () => {
  const read = (...args: string[]): unknown => readPlainly(spec("run"), args);

  test("options stand anywhere, and what is left are operands", () => {
    expect(read("--json", "fix", "--model", "m", "it", "--sandbox=read-only")).toEqual({
      options: { json: true, model: "m", sandbox: "read-only" },
      operands: ["fix", "it"],
    });
  });

  test("F94: what follows -- are operands", () => {
    expect(read("-q", "--", "-m", "--json", "--")).toEqual({
      options: { quiet: true },
      operands: ["-m", "--json", "--"],
    });
  });

  test("--resume takes a thread, and leaves a prompt", () => {
    expect(read("--resume", THREAD, "go", "on")).toEqual({
      options: { resume: THREAD },
      operands: ["go", "on"],
    });
    expect(read("--resume", "go on")).toEqual({ options: { resume: true }, operands: ["go on"] });
    expect(read("--resume")).toEqual({ options: { resume: true }, operands: [] });
  });

  test.each([
    [["--jsn"]],
    [["--help"]],
    [["--model"]],
    [["--model", "--json"]],
    [["--json=yes"]],
    [["--sandbox", "none"]],
    [["-m"]],
    [["-qf", "x"]],
    [["--constructor", "x"]],
  ])("leaves %j to the parser that can talk about it", (args) => {
    expect(read(...args)).toBeUndefined();
  });

  test("so it does with too few and too many operands", () => {
    expect(readPlainly(spec("call"), [])).toBeUndefined();
    expect(readPlainly(spec("call"), ["a", "{}", "more"])).toBeUndefined();
    expect(readPlainly(spec("status"), ["more"])).toBeUndefined();
  });
});

test("whatever is read plainly is read fully in the same way", () => {
  const word = fc.constantFrom("go", "on", "-", "{}", THREAD, "deadbeef", "read-only", "1", "a b");
  const anArgument = (name: string): fc.Arbitrary<string> => {
    const names = Object.entries(spec(name).options).flatMap(([long, { short }]) => [
      `--${long}`,
      `--${long}=`,
      `--${long}=read-only`,
      ...(short === undefined ? [] : [`-${short}`]),
    ]);
    return fc.oneof(fc.constantFrom(...names, "--help"), word, fc.constant("--"));
  };
  const line = fc
    .constantFrom(...specs.map(({ name }) => name))
    .chain((name) => fc.array(anArgument(name), { maxLength: 6 }).map((args) => ({ name, args })));
  let read = 0;
  fc.assert(
    fc.property(line, ({ name, args }) => {
      const plainly = readPlainly(spec(name), args);
      if (plainly === undefined) return;
      read += 1;
      expect(readFully(specs, [name, ...args])).toEqual({ command: name, args: plainly });
    }),
    { numRuns: 2_000 },
  );
  expect(read).toBeGreaterThan(100);
});

describe("reading any command line", () => {
  const reading = (...argv: string[]) => {
    return (): unknown => readFully(specs, argv);
  };

  test.each([
    [["rnu", "x"], "Unknown command 'rnu'. Did you mean run?", "codex-broker --help"],
    [["status", "--jsn"], "Unknown option '--jsn'. Did you mean --json?", "status --help"],
    [["status", "x"], "Too many arguments for 'status'", "status --help"],
    [["call"], "Missing required argument 'method'.", "call --help"],
    [["run", "--sandbox", "none", "x"], "Allowed choices are read-only", "run --help"],
    [["run", "-m", "pytest"], "Unknown option '-m'.", "what follows `--`"],
  ])("%j is refused in words", (argv, message, hint) => {
    expect(reading(...argv)).toThrow(
      expect.objectContaining({
        kind: "usage",
        message: expect.stringContaining(message) as string,
        hint: expect.stringContaining(hint) as string,
      }) as Error,
    );
  });

  test("a value may begin with a dash where it is attached or required", () => {
    expect(readFully(specs, ["run", "--model=-x", "hi"])).toMatchObject({
      args: { options: { model: "-x" }, operands: ["hi"] },
    });
  });
});
