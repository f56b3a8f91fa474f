import type { QuestionContext } from "../../client/inbox.ts";
import { isRecord } from "../../wire/messages.ts";
import type { Answered } from "../run/approvals.ts";
import { wishOf } from "../run/wish.ts";
import { wrap } from "../output/width.ts";
import { CANCELLED, cardOf, refusal, type Card, type Choice } from "./card.ts";
import { RESIZED, type Dialogue, type Line } from "./dialogue.ts";
import { fieldsOf, valueOf, type Field } from "./form-field.ts";
import { lastOf, layOut, type PageContent } from "./pages.ts";

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
    const { signal, item } = context;
    if (signal.aborted) return undefined;
    let choice: Choice | undefined;
    try {
      choice = await this.#choose(method, params, context);
    } catch (error) {
      if (!signal.aborted) throw error;
      this.#dialogue.show({ ...NOTHING, heading: "The question is answered or over", more: "" });
    } finally {
      this.#dialogue.done();
    }
    if (choice === undefined) return undefined;
    const decision = choice.accepts ? "accepted" : "declined";
    this.#onAnswer({ method, decision, wish: wishOf(method, params, item) });
    return choice.answer;
  }

  async #choose(
    method: string,
    params: unknown,
    { item, signal }: QuestionContext,
  ): Promise<Choice | undefined> {
    const card = cardOf(method, params, item);
    if (card !== undefined) return await this.#pick(card, signal);
    if (!isRecord(params)) return undefined;
    if (method === "mcpServer/elicitation/request") return await this.#fillIn(params, signal);
    if (method === "item/tool/requestUserInput") return await this.#answer(params, signal);
    return undefined;
  }

  async #pick(card: Card, signal: AbortSignal): Promise<Choice> {
    const key = await this.#read(card, keysOf(card.choices), {
      early: card.choices.filter(({ accepts }) => !accepts),
      skippable: card.skippable,
      signal,
    });
    const chosen = card.choices.find((choice) => choice.key === key);
    if (chosen === undefined) throw new Error(`${key} is no key of this question`);
    return chosen;
  }

  /**
   * Shows a question page by page and reads a key. Only the last page has the keys that accept; a
   * screen that was given another size starts again, because rows of the page may have left it.
   */
  async #read(
    content: PageContent,
    last: Keys,
    { early, skippable, signal }: Reading,
  ): Promise<string> {
    for (;;) {
      const { size } = this.#dialogue;
      const promptRows = wrap(`? ${last.prompt}`, size.columns).length;
      const pages = layOut(content, size, Math.max(promptRows, MIN_PROMPT_ROWS));
      const key = await this.#readPages(pages, last, { early, skippable, signal });
      if (key !== RESIZED) return key;
    }
  }

  async #readPages(
    pages: ReturnType<typeof layOut>,
    last: Keys,
    { early, skippable, signal }: Reading,
  ): Promise<string | typeof RESIZED> {
    for (const page of pages) {
      this.#dialogue.show(page);
      if (page.more === "") return await this.#dialogue.key(last.prompt, last.keys, signal);
      const skip = skippable ? [{ key: END, label: "to the end" }] : [];
      const offered = keysOf([{ key: MORE, label: page.more }, ...skip, ...early]);
      const key = await this.#dialogue.key(offered.prompt, offered.keys, signal);
      if (key === END) return await this.#readLast(pages, last, signal);
      if (key !== MORE) return key;
    }
    throw new Error("a question has no last page");
  }

  async #readLast(
    pages: ReturnType<typeof layOut>,
    last: Keys,
    signal: AbortSignal,
  ): Promise<string | typeof RESIZED> {
    const page = lastOf(pages);
    if (page !== undefined) this.#dialogue.show(page);
    return await this.#dialogue.key(last.prompt, last.keys, signal);
  }

  /** An MCP server asks for data: first whether at all, then field by field. */
  async #fillIn(params: Record<string, unknown>, signal: AbortSignal): Promise<Choice> {
    const fields = params["mode"] === "form" ? fieldsOf(params["requestedSchema"]) : undefined;
    const server = String(params["serverName"]);
    const message = [params["message"], params["title"]].find((text) => typeof text === "string");
    const answer: Choice = { key: "a", label: "answer", answer: undefined, accepts: true };
    const refusals = [refusal("mcpServer/elicitation/request"), CANCELLED];
    const card: Card = {
      heading: "An MCP server asks for data",
      claims: message === undefined ? [] : [{ label: "the server's message", text: message }],
      summary: [{ text: `the server ${server}` }],
      details:
        fields === undefined
          ? [{ text: "what it asks for cannot be typed here", look: "aside" }]
          : fields.map((field): Line => ({ text: `- ${hintOf(field)}` })),
      choices: fields === undefined ? refusals : [answer, ...refusals],
      skippable: false,
    };
    const chosen = await this.#pick(card, signal);
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
    if (options.length + about.length > 0) {
      this.#showAll({
        ...NOTHING,
        heading: "The MCP server asks for one value",
        details: [{ text: field.title }, ...about, ...options],
      });
    }
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
    const content: PageContent = {
      ...NOTHING,
      heading: "Codex asks a question",
      details: [
        { text: String(question["header"]) },
        { text: String(question["question"]) },
        ...options.map(({ label, description }, index): Line => {
          const more =
            typeof description === "string" && description !== "" ? ` – ${description}` : "";
          return { text: `${index + 1} ${String(label)}${more}` };
        }),
      ],
    };
    if (options.length === 0 || options.length > MOST_KEYS) this.#showAll(content);
    if (options.length === 0) return await this.#dialogue.line("answer:", secret, signal);
    if (options.length > MOST_KEYS) return await this.#numbered(options, signal);
    const keys = options.map((_option, index) => String(index + 1));
    const free = question["isOther"] === true ? ["o"] : [];
    const last = keys.length === 1 ? "1" : `1-${keys.length}`;
    const prompt = [`${last} choose`, ...free.map((key) => `${key} other`), "d decline"].join(
      " · ",
    );
    const key = await this.#read(
      content,
      { prompt, keys: [...keys, ...free, "d"] },
      { early: [{ key: "d", label: "decline" }], skippable: true, signal },
    );
    if (key === "d") return undefined;
    if (key === "o") return await this.#dialogue.line("other:", secret, signal);
    return String(options[Number(key) - 1]?.["label"]);
  }

  /** Shows all pages at once, where a typed line is the answer: it accepts nothing. */
  #showAll(content: PageContent): void {
    for (const page of layOut(content, this.#dialogue.size, MIN_PROMPT_ROWS)) {
      this.#dialogue.show(page);
    }
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

interface Key {
  readonly key: string;
  readonly label: string;
}

interface Keys {
  readonly prompt: string;
  readonly keys: readonly string[];
}

interface Reading {
  /** Offered on every page. */
  readonly early: readonly Key[];
  readonly skippable: boolean;
  readonly signal: AbortSignal;
}

const MORE = "w";
const END = "e";
/** The keys of a page that is not the last one can take two rows. */
const MIN_PROMPT_ROWS = 2;
const NOTHING = { claims: [], summary: [], details: [] };

function keysOf(offered: readonly Key[]): Keys {
  return {
    prompt: offered.map(({ key, label }) => `${key} ${label}`).join(" · "),
    keys: offered.map(({ key }) => key),
  };
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
