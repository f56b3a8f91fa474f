import { describe, expect, test } from "vitest";
import type { ServerRequests } from "../../src/app-server/generated/index.ts";
import { serverRequests } from "../../src/app-server/generated/methods.ts";
import { decliningAnswer } from "../../src/wire/declining-answers.ts";

const WHY = "codex-broker: nobody is there who could answer";

/** What refuses, by the generated types; null where no body of that type can. */
const REFUSALS = {
  "item/commandExecution/requestApproval": { decision: "decline" },
  "item/fileChange/requestApproval": { decision: "decline" },
  "item/permissions/requestApproval": { permissions: {}, scope: "turn" },
  "item/tool/requestUserInput": { answers: {} },
  "item/tool/call": { contentItems: [{ type: "inputText", text: WHY }], success: false },
  "mcpServer/elicitation/request": { action: "decline", content: null, _meta: null },
  applyPatchApproval: { decision: { denied: { rejection: WHY } } },
  execCommandApproval: { decision: { denied: { rejection: WHY } } },
  "account/chatgptAuthTokens/refresh": null,
  "attestation/generate": null,
  // A clock is no question of trust.
  "currentTime/read": { currentTimeAt: expect.any(Number) as number },
} satisfies { [M in keyof ServerRequests]: ServerRequests[M]["result"] | null };

describe("the answer that refuses (F65, F93)", () => {
  test("is known for every kind of question that this codex has", () => {
    expect(Object.keys(REFUSALS).toSorted()).toEqual(Object.keys(serverRequests).toSorted());
  });

  test.each(Object.entries(REFUSALS))("to %s has the shape that was asked for", (method, body) => {
    const answer = decliningAnswer(method);
    expect(answer).toEqual(
      body === null ? { error: { code: -32_000, message: WHY } } : { result: body },
    );
  });

  test("to a kind that is not known yet is an error, and neither a yes nor -32601", () => {
    for (const method of ["item/newThing/requestApproval", "", "constructor"]) {
      expect(decliningAnswer(method)).toEqual({ error: { code: -32_000, message: WHY } });
    }
  });

  test("says nowhere yes", () => {
    const said = Object.keys(REFUSALS).map((method) => JSON.stringify(decliningAnswer(method)));
    expect(said.join("\n")).not.toMatch(/accept|approved|"success":true|session/i);
  });
});
