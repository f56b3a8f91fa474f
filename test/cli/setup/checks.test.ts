import { expect, test } from "vitest";
import { BrokerError } from "../../../src/base/errors.ts";
import { failureOf } from "../../../src/cli/output/failure.ts";
import { trialChecks } from "../../../src/cli/setup/checks.ts";
import type { Trial } from "../../../src/cli/setup/trial.ts";

const asked = {
  state: "asked",
  epoch: 1,
  started: false,
  tookMs: 5,
  login: { state: "there", type: "chatgpt" },
  sandbox: { state: "works" },
  readOnly: { state: "works" },
} as const satisfies Trial;

function states(trial: Trial): Record<string, string> {
  return Object.fromEntries(trialChecks(trial).map(({ name, state }) => [name, state]));
}

test("F87: who could not be asked is not said to have no login", () => {
  const busy = failureOf(new BrokerError("brokerUnavailable", "It does not answer."));
  const nothing = { broker: "missing", login: "unknown", sandbox: "unknown" };
  expect(states({ state: "noBroker", failure: busy })).toEqual(nothing);
  expect(states({ state: "notTried" })).toEqual({ ...nothing, broker: "unknown" });
  expect(states({ ...asked, login: { state: "unknown" }, sandbox: { state: "unknown" } })).toEqual({
    broker: "ok",
    login: "unknown",
    sandbox: "unknown",
  });
});

test("what is missing comes with what to type, and what is there with nothing", () => {
  for (const check of trialChecks(asked)) expect(check).toMatchObject({ state: "ok", fix: null });
  const bad = trialChecks({
    ...asked,
    login: { state: "missing" },
    sandbox: { state: "fails", why: "no namespaces" },
  });
  expect(bad.map(({ name, state, fix }) => ({ name, state, typed: fix !== null }))).toEqual([
    { name: "broker", state: "ok", typed: false },
    { name: "login", state: "missing", typed: true },
    { name: "sandbox", state: "missing", typed: true },
  ]);
  const failure = failureOf(new BrokerError("codexConfigInvalid", "Line 3 is wrong."));
  expect(trialChecks({ ...asked, login: { state: "failed", failure } })[1]).toMatchObject({
    state: "missing",
    says: "Line 3 is wrong.",
    fix: failure.hint,
  });
});

test("who has switched the sandbox off learns that reviews need it", () => {
  const [, , sandbox] = trialChecks({
    ...asked,
    readOnly: { state: "fails", why: "no namespaces" },
  });
  expect(sandbox).toMatchObject({ state: "ok" });
  expect(sandbox?.says).toContain("reviews need --sandbox danger-full-access");
});
