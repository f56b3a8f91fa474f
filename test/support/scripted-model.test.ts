import { describe, expect, test } from "vitest";

import type { JsonObject } from "./json.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { guardAgainstLeaks } from "./leak-guard.ts";

guardAgainstLeaks();

const ask = async (model: ScriptedModel, prompt: string): Promise<Response> => {
  const input = [
    { type: "message", role: "user", content: [{ type: "input_text", text: prompt }] },
  ];
  return await fetch(`${model.url}/responses`, { method: "POST", body: JSON.stringify({ input }) });
};

/** The events of an answer, as far as it goes. */
const events = async (answer: Response): Promise<readonly JsonObject[]> => {
  const lines = (await answer.text()).split("\n").filter((line) => line.startsWith("data: "));
  return lines.map((line) => JSON.parse(line.slice("data: ".length)) as JsonObject);
};

describe("scripted model", () => {
  test("answers in the events of the Responses API", async () => {
    await using model = await startScriptedModel();
    const told = await events(await ask(model, "say: hello world"));
    expect(told.map(({ type }) => type)).toEqual([
      "response.created",
      "response.output_item.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_item.done",
      "response.completed",
    ]);
  });

  test("counts what it is asked and how much at once", async () => {
    await using model = await startScriptedModel();
    await Promise.all(
      ["slow: 2x20ms a", "slow: 2x20ms b"].map(async (prompt) => {
        await (await ask(model, prompt)).text();
      }),
    );
    expect(model.requests).toMatchObject({ total: 2, inFlight: 0, maxInFlight: 2 });
    expect(model.requests.recent.map(({ prompt }) => prompt).toSorted()).toEqual([
      "slow: 2x20ms a",
      "slow: 2x20ms b",
    ]);
  });

  test("keeps the rate of a stream", async () => {
    await using model = await startScriptedModel();
    const start = performance.now();
    const told = await events(await ask(model, "stream: 500 deltas at 1000/s of 8 bytes"));
    const tookMs = performance.now() - start;
    expect(told.filter(({ type }) => type === "response.output_text.delta")).toHaveLength(500);
    expect(tookMs).toBeGreaterThan(480);
  });

  test.each([
    "silence",
    "hold: nothing",
    "slow: 100x1000ms tick",
    "stream: 99 deltas at 1/s of 9 bytes",
  ])("ends at once what it holds open: %s", async (prompt) => {
    const model = await startScriptedModel();
    const answer = await ask(model, prompt);
    const body = answer.text().catch(() => "cut");
    // Without it the answer would take longer than a test may, or for ever.
    await model.close();
    expect(await body).toBe("cut");
    await model.close();
  });

  test("notices a client that goes away", async () => {
    await using model = await startScriptedModel();
    const answer = await ask(model, "silence");
    expect(model.requests.inFlight).toBe(1);
    await answer.body?.cancel();
    await expect.poll(() => model.requests.inFlight).toBe(0);
  });

  test("refuses what is no first step of a request in words", async () => {
    await using model = await startScriptedModel();
    const told = await events(await ask(model, "say: x ;; http: 500"));
    expect(told.at(-1)).toMatchObject({
      type: "response.failed",
      response: { error: { message: "http must be the first step of a request" } },
    });
  });

  test("says when there is no shell to call", async () => {
    await using model = await startScriptedModel();
    const told = await events(await ask(model, "shell: echo hi"));
    expect(told.at(-1)).toMatchObject({ type: "response.failed" });
  });

  test("lists its model, and nothing elsewhere", async () => {
    await using model = await startScriptedModel();
    expect(await (await fetch(`${model.url}/models`)).json()).toMatchObject({
      data: [{ id: "mock-model" }],
    });
    expect((await fetch(`${model.url}/nope`)).status).toBe(404);
  });
});
