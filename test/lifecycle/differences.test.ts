import { expect, test } from "vitest";
import { differencesOf, type Distinction } from "../../src/lifecycle/differences.ts";

const ONE: Distinction = {
  codexHome: "/home/.codex",
  codex: "/bin/codex",
  label: null,
  environment: { OPENAI_API_KEY: "a" },
};

test("what one broker does not share with another is named, and nothing else (F131)", () => {
  expect(differencesOf(ONE, [{ ...ONE }])).toEqual([]);
  const other = { ...ONE, codexHome: "/x", codex: "/y", label: "z", environment: {} };
  expect(differencesOf(ONE, [{ ...ONE }, other])).toEqual([
    "CODEX_HOME /home/.codex",
    "codex /bin/codex",
    "no label",
    "OPENAI_API_KEY",
  ]);
  expect(differencesOf(other, [ONE])).toEqual([
    "CODEX_HOME /x",
    "codex /y",
    'label "z"',
    "no OPENAI_API_KEY",
  ]);
  const another = { ...ONE, environment: { OPENAI_API_KEY: "b" } };
  expect(differencesOf(another, [ONE])).toEqual(["another OPENAI_API_KEY"]);
  expect(differencesOf({ ...ONE, private: true }, [ONE])).toEqual(["private"]);
});

test("a record that does not say what it has differs by what it says", () => {
  const { codexHome, codex } = ONE;
  expect(differencesOf({ codexHome, codex }, [ONE])).toEqual([]);
  expect(differencesOf({ codexHome: "/x", codex }, [ONE])).toEqual(["CODEX_HOME /x"]);
});
