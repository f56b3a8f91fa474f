import { expect, test } from "vitest";
import { Random } from "../elections/random.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { RawSession } from "./raw-session.ts";

guardAgainstLeaks();

const SEED = Number(process.env["MIX_SEED"] ?? Date.now() % 2 ** 31);
const SESSIONS = 4;
const THREADS = 5;
const TURNS = Number(process.env["MIX_TURNS"] ?? 3);
const DELTAS = 15;

/** What a session did during one turn of a thread. Who joins at its very end may hear it or not. */
type Part = "hears" | "joins" | "joins late" | "leaves" | "stays away";

interface Turn {
  readonly id: string;
  readonly parts: readonly Part[];
}

/** Everything that was told of a turn, in order. */
function story({ messages }: RawSession, turnId: string): string[] {
  return messages.flatMap(({ method, params }) => {
    if (method === undefined || params === undefined) return [];
    const { turn, item } = params as { turn?: { id?: string }; item?: { type?: string } };
    if (params["turnId"] !== turnId && turn?.id !== turnId) return [];
    return [`${method} ${JSON.stringify(params["delta"] ?? item?.type ?? null)}`];
  });
}

/** One thread with several turns, heard by whoever the seed says. */
class Thread {
  readonly turns: Turn[] = [];
  readonly #keeper: RawSession;
  readonly #sessions: readonly RawSession[];
  readonly #random: Random;
  readonly #hears: boolean[];
  #id = "";

  constructor(keeper: RawSession, sessions: readonly RawSession[], random: Random) {
    this.#keeper = keeper;
    this.#sessions = sessions;
    this.#random = random;
    this.#hears = sessions.map(() => false);
  }

  async run(): Promise<void> {
    const { result } = await this.#keeper.ask("thread/start", {});
    this.#id = (result!["thread"] as { id: string }).id;
    // Until its first turn there is nothing on disk that could be resumed.
    await this.#turn(this.#keeper, true);
    for (let turn = 0; turn < TURNS; turn += 1) {
      const owner = Math.floor(this.#random.below(SESSIONS));
      await this.#join(owner);
      await this.#turn(this.#sessions[owner]!, false, owner);
    }
  }

  async #turn(owner: RawSession, quiet: boolean, ownerIndex = -1): Promise<void> {
    const plans = this.#sessions.map((_, index) =>
      this.#plan(index === ownerIndex || quiet, index),
    );
    const answer = await owner.ask("turn/start", {
      threadId: this.#id,
      input: [{ type: "text", text: `slow: ${DELTAS}x20ms w`, text_elements: [] }],
    });
    const turnId = (answer.result!["turn"] as { id: string }).id;
    const parts = await Promise.all(plans.map(async (plan, index) => await plan(turnId, index)));
    if (!quiet && this.#random.below(10) < 3) {
      await this.#afterDeltas(turnId);
      await this.#keeper.ask("turn/interrupt", { threadId: this.#id, turnId });
    }
    await this.#keeper.next((message) => isEnd(message.method, message.params, turnId));
    this.turns.push({ id: turnId, parts });
  }

  #plan(still: boolean, index: number): (turnId: string, index: number) => Promise<Part> {
    const hears = this.#hears[index]!;
    const moves = !still && this.#random.below(2) < 1;
    if (!moves) return () => Promise.resolve(hears ? "hears" : "stays away");
    return async (turnId) => {
      await this.#afterDeltas(turnId);
      if (hears) await this.#leave(index);
      else await this.#join(index);
      if (hears) return "leaves";
      return this.#hasEnded(turnId) ? "joins late" : "joins";
    };
  }

  #hasEnded(turnId: string): boolean {
    return this.#keeper.messages.some(({ method, params }) => isEnd(method, params, turnId));
  }

  async #afterDeltas(turnId: string): Promise<void> {
    const enough = 1 + Math.floor(this.#random.below(DELTAS / 2));
    await this.#keeper.next(
      ({ method, params }) =>
        isEnd(method, params, turnId) ||
        (params?.["turnId"] === turnId && String(params["delta"]).trim() === `w ${enough}`),
    );
  }

  async #join(index: number): Promise<void> {
    if (this.#hears[index]!) return;
    this.#hears[index] = true;
    const params = { threadId: this.#id, excludeTurns: true };
    const answer = await this.#sessions[index]!.ask("thread/resume", params);
    expect(answer.error).toBeUndefined();
  }

  async #leave(index: number): Promise<void> {
    this.#hears[index] = false;
    const params = { threadId: this.#id };
    const { result } = await this.#sessions[index]!.ask("thread/unsubscribe", params);
    expect(result).toEqual({ status: "unsubscribed" });
  }
}

function isEnd(method: unknown, params: unknown, turnId: string): boolean {
  if (method !== "turn/completed") return false;
  return (params as { turn: { id: string } }).turn.id === turnId;
}

test(
  `F32 F35: sessions that join and leave running turns get each event once, in order, or not at all (seed ${SEED})`,
  { timeout: 120_000 },
  async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const open = (): Promise<RawSession> => RawSession.initialized(client.record.endpoint);
    const random = new Random(SEED);
    const keeper = await open();
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, open));
    const threads = Array.from({ length: THREADS }, () => {
      return new Thread(keeper, sessions, new Random(random.below(2 ** 31)));
    });
    await Promise.all(threads.map((thread) => thread.run()));
    // Whatever was told before this answer has arrived before it.
    for (const session of sessions) await session.ask("thread/loaded/list", {});

    const seen = new Set<Part>();
    for (const { id, parts } of threads.flatMap(({ turns }) => turns)) {
      const whole = story(keeper, id);
      expect(whole.at(0)).toMatch(/^turn\/started/);
      expect(whole.at(-1)).toMatch(/^turn\/completed/);
      for (const [index, part] of parts.entries()) {
        if (part === "joins late") continue;
        seen.add(part);
        const heard = story(sessions[index]!, id);
        const expected =
          part === "stays away" ? [] : part === "leaves" ? whole.slice(0, heard.length) : whole;
        expect(heard, `session ${index}, which ${part}, of turn ${id}`).toEqual(expected);
      }
    }
    expect(seen.size).toBe(4);
    for (const session of [keeper, ...sessions]) await session[Symbol.asyncDispose]();
  },
);
