import type { QuestionContext } from "../../client/inbox.ts";
import { isRecord } from "../../wire/messages.ts";
import type { Answered } from "../run/approvals.ts";
import { wishOf } from "../run/wish.ts";
import { CANCELLED, cardOf, refusal, type Choice } from "./card.ts";
import type { Dialogue, Line } from "./dialogue.ts";
import { fieldsOf, valueOf, type Field } from "./form-field.ts";

/** More does not fit on a screen; the rest is shown on demand. */
const SHOWN_LINES = 40;
/** Options that have a key of their own. */
const MOST_KEYS = 9;

/** Has a person at a terminal answer, one question after the other. */
export class Person {
  readonly #dialogue: Dialogue;
  readonly #onAnswer: (answer: Answered) => void;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(dialogue: Dialogue, onAnswer: (answer: Answered) => void) {
    this.#dialogue = dialogue;
    this.#onAnswer = onAnswer;
  }

  /** Resolves when nothing is being asked, nor waits to be. */
  get idle(): Promise<unknown> {
    return this.#busy;
  }

  /** @returns undefined for what no person can answer, and for what was answered elsewhere meanwhile. */
  async ask(method: string, params: unknown, context: QuestionContext): Promise<unknown> {
    const before = this.#busy;
    const asked = before.then(() => this.#ask(method, params, context));
    this.#busy = asked.catch(() => {});
    return await asked;
  }

  async #ask(method: string, params: unknown, context: QuestionContext): Promise<unknown> {
    const { signal } = context;
    if (signal.aborted) return undefined;
    try {
      const choice = await this.#choose(method, params, context);
      if (choice === undefined) return undefined;
      const decision = choice.accepts ? "accepted" : "declined";
      this.#onAnswer({ method, decision, wish: wishOf(method, params) });
      return choice.answer;
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#dialogue.show("Not asked any more", []);
      return undefined;
    }
  }

  async #choose(
    method: string,
    params: unknown,
    { item, signal }: QuestionContext,
  ): Promise<Choice | undefined> {
    const card = cardOf(method, params, item);
    if (card !== undefined) return await this.#pick(card.heading, card.lines, card.choices, signal);
    if (!isRecord(params)) return undefined;
    if (method === "mcpServer/elicitation/request") return await this.#fillIn(params, signal);
    if (method === "item/tool/requestUserInput") return await this.#answer(params, signal);
    return undefined;
  }

  async #pick(
    heading: string,
    lines: readonly Line[],
    choices: readonly Choice[],
    signal: AbortSignal,
  ): Promise<Choice> {
    const hidden = lines.length - SHOWN_LINES;
    this.#dialogue.show(heading, lines.slice(0, SHOWN_LINES));
    const more = hidden > 0 ? [{ key: "w", label: `show ${hidden} more lines` }] : [];
    const offered = [...choices, ...more];
    const prompt = offered.map(({ key, label }) => `${key} ${label}`).join(" · ");
    const key = await this.#dialogue.key(
      prompt,
      offered.map((each) => each.key),
      signal,
    );
    const chosen = choices.find((choice) => choice.key === key);
    if (chosen !== undefined) return chosen;
    return await this.#pick(heading, lines.slice(SHOWN_LINES), choices, signal);
  }

  /** An MCP server asks for data: first whether at all, then field by field. */
  async #fillIn(params: Record<string, unknown>, signal: AbortSignal): Promise<Choice> {
    const fields = params["mode"] === "form" ? fieldsOf(params["requestedSchema"]) : undefined;
    const lines = [
      { text: `${String(params["serverName"])}: ${String(params["message"] ?? params["title"])}` },
      ...(fields ?? []).map((field): Line => ({ text: `- ${hintOf(field)}`, look: "aside" })),
      ...(fields === undefined
        ? [{ text: "what it asks for cannot be typed here", look: "aside" } as const]
        : []),
    ];
    const answer: Choice = { key: "a", label: "answer", answer: undefined, accepts: true };
    const refusals = [refusal("mcpServer/elicitation/request"), CANCELLED];
    const chosen = await this.#pick(
      "An MCP server asks",
      lines,
      fields === undefined ? refusals : [answer, ...refusals],
      signal,
    );
    if (chosen !== answer || fields === undefined) return chosen;
    const content: Record<string, unknown> = {};
    for (const field of fields) {
      const typed = await this.#field(field, signal);
      if (typed === undefined) return CANCELLED;
      if (typed.value !== undefined) content[field.name] = typed.value;
    }
    return { ...answer, answer: { action: "accept", content, _meta: null } };
  }

  /** @returns undefined when it was given up. */
  async #field(field: Field, signal: AbortSignal): Promise<{ value: unknown } | undefined> {
    const options = field.options.map(({ label }, index) => ({ text: `${index + 1} ${label}` }));
    const about = field.description === "" ? [] : [{ text: field.description }];
    if (options.length + about.length > 0) this.#dialogue.show(field.title, [...about, ...options]);
    for (let problem = ""; ;) {
      const prompt = `${hintOf(field)}${problem === "" ? "" : ` – ${problem}`}:`;
      const typed = await this.#dialogue.line(prompt, false, signal);
      if (typed === undefined) return undefined;
      const outcome = valueOf(field, typed);
      if ("value" in outcome) return outcome;
      problem = outcome.problem;
    }
  }

  /** Codex asks the person something, mostly with options. */
  async #answer(params: Record<string, unknown>, signal: AbortSignal): Promise<Choice | undefined> {
    const { questions } = params;
    if (!Array.isArray(questions)) return undefined;
    const refused = refusal("item/tool/requestUserInput");
    const answers: Record<string, { answers: string[] }> = {};
    for (const question of questions.filter(isRecord)) {
      const answer = await this.#question(question, signal);
      if (answer === undefined) return refused;
      answers[String(question["id"])] = { answers: [answer] };
    }
    return { key: "a", label: "answer", answer: { answers }, accepts: true };
  }

  async #question(
    question: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const options = Array.isArray(question["options"]) ? question["options"].filter(isRecord) : [];
    const secret = question["isSecret"] === true;
    this.#dialogue.show(`Codex asks: ${String(question["header"])}`, [
      { text: String(question["question"]) },
      ...options.map(({ label, description }, index): Line => {
        const more =
          typeof description === "string" && description !== "" ? ` – ${description}` : "";
        return { text: `${index + 1} ${String(label)}${more}` };
      }),
    ]);
    if (options.length === 0) return await this.#dialogue.line("answer:", secret, signal);
    if (options.length > MOST_KEYS) return await this.#numbered(options, signal);
    const keys = options.map((_option, index) => String(index + 1));
    const free = question["isOther"] === true ? ["o"] : [];
    const last = keys.length === 1 ? "1" : `1-${keys.length}`;
    const prompt = [`${last} choose`, ...free.map((key) => `${key} other`), "d decline"].join(
      " · ",
    );
    const key = await this.#dialogue.key(prompt, [...keys, ...free, "d"], signal);
    if (key === "d") return undefined;
    if (key === "o") return await this.#dialogue.line("other:", secret, signal);
    return String(options[Number(key) - 1]?.["label"]);
  }

  async #numbered(
    options: ReadonlyArray<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    for (;;) {
      const typed = await this.#dialogue.line(
        `a number from 1 to ${options.length}:`,
        false,
        signal,
      );
      if (typed === undefined) return undefined;
      const option = /^\d+$/.test(typed.trim()) ? options[Number(typed) - 1] : undefined;
      if (option !== undefined) return String(option["label"]);
    }
  }
}

function hintOf({ title, kind, required, fallback }: Field): string {
  const type = {
    text: "",
    number: "number",
    integer: "whole number",
    boolean: "y or n",
    one: "",
    many: "numbers",
  }[kind];
  const notes = [
    ...(type === "" ? [] : [type]),
    ...(fallback === undefined ? [] : [`default ${JSON.stringify(fallback)}`]),
    ...(required || fallback !== undefined ? [] : ["may be left out"]),
  ];
  return notes.length === 0 ? title : `${title} (${notes.join(", ")})`;
}
