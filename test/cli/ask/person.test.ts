import { describe, expect, test } from "vitest";
import type { Dialogue, Page } from "../../../src/cli/ask/dialogue.ts";
import { Person } from "../../../src/cli/ask/person.ts";
import type { Answered } from "../../../src/cli/run/approvals.ts";

const COMMAND = "item/commandExecution/requestApproval";
const ELICITATION = "mcpServer/elicitation/request";
const USER_INPUT = "item/tool/requestUserInput";

/** Somebody who has decided beforehand what to press and what to type; undefined is Esc. */
class Typist implements Dialogue {
  readonly size = { columns: 77, rows: 24 };
  readonly seen: string[] = [];
  readonly prompts: string[] = [];
  readonly #keys: Array<string | undefined>;

  constructor(...keys: Array<string | undefined>) {
    this.#keys = keys;
  }

  show({ claims, details, heading, summary }: Page): void {
    const lines = [...details, { text: heading }, ...summary].map(({ text }) => text);
    this.seen.push(...claims.map(({ label, text }) => `${label}: ${text}`), ...lines);
  }

  done(): void {}

  async key(prompt: string, keys: readonly string[], signal: AbortSignal): Promise<string> {
    const key = await this.#next(prompt, signal);
    if (key === undefined || !keys.includes(key)) {
      throw new Error(`${prompt} has no ${String(key)}`);
    }
    return key;
  }

  line(prompt: string, secret: boolean, signal: AbortSignal): Promise<string | undefined> {
    return this.#next(secret ? `secret ${prompt}` : prompt, signal);
  }

  async #next(prompt: string, signal: AbortSignal): Promise<string | undefined> {
    this.prompts.push(prompt);
    if (this.#keys.length > 0) return await Promise.resolve(this.#keys.shift());
    return await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  }
}

async function answered(
  typist: Typist,
  method: string,
  params: object,
  answers: Answered[] = [],
): Promise<unknown> {
  const person = new Person(typist, (answer) => answers.push(answer));
  const { signal } = new AbortController();
  return await person.ask(method, params, { item: undefined, signal });
}

const input = (question: object): object => ({
  questions: [{ id: "q", header: "Pick", question: "Which?", ...question }],
});
const labels = (count: number): object[] =>
  Array.from({ length: count }, (_none, index) => ({ label: `L${index + 1}`, description: "" }));

describe("F65: a question of Codex", () => {
  test("is answered with the label of an option", async () => {
    const typist = new Typist("2");
    const params = input({ options: labels(2) });
    expect(await answered(typist, USER_INPUT, params)).toEqual({
      answers: { q: { answers: ["L2"] } },
    });
    expect(typist.seen).toEqual(["Pick", "Which?", "1 L1", "2 L2", "Codex asks a question"]);
  });

  test("is answered freely where that is allowed, and only there", async () => {
    const params = input({ options: labels(1), isOther: true, isSecret: true });
    const typist = new Typist("o", "mine");
    expect(await answered(typist, USER_INPUT, params)).toEqual({
      answers: { q: { answers: ["mine"] } },
    });
    expect(typist.prompts).toEqual(["1 choose · o other · d decline", "secret other:"]);
    const strict = input({ options: labels(1) });
    await expect(answered(new Typist("o"), USER_INPUT, strict)).rejects.toThrow("has no o");
  });

  test("without options is answered by a line", async () => {
    const answer = await answered(new Typist("text"), USER_INPUT, input({ options: null }));
    expect(answer).toEqual({ answers: { q: { answers: ["text"] } } });
  });

  test("with more options than keys is answered by a number", async () => {
    const typist = new Typist("0", "x", "11", "10");
    const answer = await answered(typist, USER_INPUT, input({ options: labels(10) }));
    expect(answer).toEqual({ answers: { q: { answers: ["L10"] } } });
    expect(typist.prompts).toHaveLength(4);
  });

  test("is declined as a whole when one part is", async () => {
    const answers: Answered[] = [];
    const { questions } = input({ options: labels(1) }) as { questions: object[] };
    const params = { questions: [...questions, ...questions] };
    expect(await answered(new Typist("1", "d"), USER_INPUT, params, answers)).toEqual({
      answers: {},
    });
    expect(answers).toMatchObject([{ decision: "declined" }]);
    expect(await answered(new Typist(undefined), USER_INPUT, input({}))).toEqual({ answers: {} });
  });
});

describe("F65: a form of an MCP server", () => {
  const form = (properties: object): object => ({
    serverName: "notes",
    mode: "form",
    message: "Who?",
    requestedSchema: { type: "object", properties },
  });

  test("is filled in field by field; what is left out is not in it", async () => {
    const typist = new Typist("a", "Bob", "", "y");
    const params = form({
      name: { type: "string" },
      age: { type: "integer" },
      ok: { type: "boolean" },
    });
    expect(await answered(typist, ELICITATION, params)).toEqual({
      action: "accept",
      content: { name: "Bob", ok: true },
      _meta: null,
    });
    expect(typist.prompts.slice(1)).toEqual([
      "name (may be left out):",
      "age (whole number, may be left out):",
      "ok (y or n, may be left out):",
    ]);
  });

  test.each([
    ["declined", ["d"], "decline"],
    ["cancelled", ["c"], "cancel"],
    ["given up in the middle", ["a", undefined], "cancel"],
  ])("may be %s", async (_how, keys, action) => {
    const params = form({ name: { type: "string" } });
    const answer = await answered(new Typist(...keys), ELICITATION, params);
    expect(answer).toEqual({ action, content: null, _meta: null });
  });

  test.each([
    ["of an unknown field", form({ it: { type: "object" } })],
    ["of an unknown mode", { ...form({}), mode: "openai/form" }],
  ])("%s can only be refused", async (_what, params) => {
    const typist = new Typist("d");
    await answered(typist, ELICITATION, params);
    expect(typist.prompts).toEqual(["d decline · c cancel"]);
    await expect(answered(new Typist("a"), ELICITATION, params)).rejects.toThrow("has no a");
  });
});

describe("F65: several questions", () => {
  test("are asked one after the other", async () => {
    const typist = new Typist("a", "d");
    const person = new Person(typist, () => {});
    const { signal } = new AbortController();
    const ask = (command: string): Promise<unknown> =>
      person.ask(COMMAND, { command }, { item: undefined, signal });
    expect(await Promise.all([ask("one"), ask("two")])).toEqual([
      { decision: "accept" },
      { decision: "decline" },
    ]);
    expect(typist.seen.filter((line) => /^(?:one|two)$/.test(line))).toEqual(["one", "two"]);
  });

  test("one that is answered elsewhere goes away, and the next is asked; one that was is never shown", async () => {
    const typist = new Typist();
    const answers: Answered[] = [];
    const person = new Person(typist, (answer) => answers.push(answer));
    const controllers = [1, 2, 3].map(() => new AbortController());
    const asked = controllers.map(({ signal }, index) =>
      person.ask(COMMAND, { command: `c${index}` }, { item: undefined, signal }),
    );
    await Promise.resolve();
    controllers[1]?.abort();
    controllers[0]?.abort();
    expect(await asked[0]).toBeUndefined();
    expect(await asked[1]).toBeUndefined();
    controllers[2]?.abort();
    expect(await asked[2]).toBeUndefined();
    expect(typist.seen.filter((line) => /^c\d$/.test(line))).toEqual(["c0", "c2"]);
    expect(answers).toEqual([]);
  });

  test("what no person can answer is left to others", async () => {
    const typist = new Typist();
    for (const method of ["item/tool/call", "currentTime/read", "item/newThing/requestApproval"]) {
      expect(await answered(typist, method, {})).toBeUndefined();
    }
    expect([typist.seen, typist.prompts]).toEqual([[], []]);
  });
});
