import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Bench, type Client, type Message } from "./bench.ts";
import { Expectations, ExpectedSession } from "./expectations.ts";
import { SimulatedServer } from "./simulated-server.ts";

const SESSIONS = 3;
const RUNS = Number(process.env["MODEL_RUNS"] ?? 300);
const SEED = process.env["MODEL_SEED"];

/** What a session may do; `choice` picks a thread, a request or an id. */
const DEEDS = [
  "start",
  "resume",
  "fork",
  "unsubscribe",
  "turn",
  "queue",
  "interrupt",
  "archive",
  "rename",
  "watch",
  "sample",
  "cancel",
  "go",
] as const;
/** What may happen in the app-server. */
const HAPPENINGS = [
  "serve",
  "event",
  "endTurn",
  "spawn",
  "unload",
  "change",
  "finishSample",
] as const;

type Move =
  | { readonly by: number; readonly deed: (typeof DEEDS)[number]; readonly choice: number }
  | { readonly happens: (typeof HAPPENINGS)[number]; readonly choice: number };

const choice = fc.nat({ max: 40 });
const often = <T extends string>(names: readonly T[], weights: Partial<Record<T, number>>) =>
  fc.oneof(...names.map((name) => ({ weight: weights[name] ?? 1, arbitrary: fc.constant(name) })));
const deeds = often(DEEDS, { resume: 5, turn: 4, unsubscribe: 2, go: 2 });
const happenings = often(HAPPENINGS, { serve: 12, event: 3, endTurn: 2 });
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ by: fc.nat({ max: SESSIONS - 1 }), deed: deeds, choice }) },
  { weight: 1, arbitrary: fc.record({ happens: happenings, choice }) },
);

/** A session of the test, with what it has sent. */
interface Driven {
  readonly client: Client;
  readonly expected: ExpectedSession;
  readonly sent: number[];
  readonly samples: number[];
  isWatching: boolean;
}

/** The router between some sessions and a simulated app-server. */
class History {
  readonly #bench = new Bench();
  readonly #expectations = new Expectations();
  readonly #server = new SimulatedServer(this.#bench, this.#expectations);
  readonly #sessions: Driven[] = [];
  readonly #all: Driven[] = [];

  async open(): Promise<void> {
    for (let n = 0; n < SESSIONS; n += 1) this.#sessions.push(await this.#connect());
  }

  async do(move: Move): Promise<void> {
    if ("happens" in move) await this.#server[move.happens](move.choice);
    else await this.#act(move.by, move.deed, move.choice);
    this.#server.receive();
  }

  /** Everything ends that has begun, and every request has its response. */
  async settle(): Promise<void> {
    const busy = (): boolean =>
      this.#server.waiting.length + this.#server.running.length + this.#server.samples.length > 0;
    for (let rounds = 0; busy(); rounds += 1) {
      if (rounds > 1_000) throw new Error("the history does not end");
      if (this.#server.waiting.length > 0) await this.#server.serve(0);
      else if (this.#server.running.length > 0) await this.#server.endTurn(0);
      else await this.#server.finishSample(0);
      this.#server.receive();
    }
  }

  check(): void {
    for (const [index, { client, expected, sent }] of this.#all.entries()) {
      const heard = client.heard;
      const who = `session ${index}`;
      this.#checkStreams(heard, expected, who);
      this.#checkNews(heard, expected, who);
      checkEnds(heard, who);
      const changes = heard.filter(({ method }) => method === "fs/changed");
      expect(changes.length, `changes for ${who}`).toBe(expected.changes);
      expect(new Set(changes.map(({ params }) => params?.["watchId"])).size).toBeLessThan(2);
      const answers = heard.filter(({ method }) => method === undefined).map(({ id }) => id);
      expect(answers.length, `answers of ${who}`).toBe(new Set(answers).size);
      if (expected.gone) continue;
      expect(
        sent.filter((id) => !answers.includes(id)),
        `unanswered of ${who}`,
      ).toEqual([]);
      for (const threadId of this.#expectations.subscribedTo(expected)) {
        expect(
          this.#server.threads.get(threadId),
          `${threadId}, which ${who} follows`,
        ).toMatchObject({
          loaded: true,
          subscribed: true,
        });
      }
    }
    expect(this.#bench.router.turns()).toEqual([]);
    expect(this.#kept(), "threads that are kept for no session").toEqual([]);
  }

  /** When all have gone nothing is kept: neither in the router nor in the app-server. */
  async leave(): Promise<void> {
    for (const each of this.#sessions) await this.#go(each);
    this.#server.receive();
    await this.settle();
    expect(this.#kept(), "threads that are kept for no session").toEqual([]);
    expect([this.#bench.router.threadCount, this.#bench.router.turnCount]).toEqual([0, 0]);
    expect(this.#server.watches).toEqual([]);
    this.close();
  }

  close(): void {
    this.#bench.router.lose(new BrokerError("connectionLost", "The history is over."));
  }

  /** Threads that the broker still subscribes to, though no session does. */
  #kept(): string[] {
    const { threads } = this.#server;
    const kept = [...threads.values()].filter(
      ({ id, parent, subscribed }) => subscribed && !this.#expectations.hasSubscriber(parent ?? id),
    );
    return kept.map(({ id }) => id);
  }

  async #connect(): Promise<Driven> {
    const client = await this.#bench.client({ experimentalApi: true });
    const expected = new ExpectedSession();
    this.#expectations.sessions.add(expected);
    const driven = { client, expected, sent: [], samples: [], isWatching: false };
    this.#all.push(driven);
    return driven;
  }

  async #act(by: number, deed: (typeof DEEDS)[number], choice: number): Promise<void> {
    const session = this.#sessions[by]!;
    const threads = this.#server.roots;
    const thread = threads[choice % threads.length]!;
    const threadId = thread.id;
    switch (deed) {
      case "start":
        return void (await this.#ask(session, "thread/start", {}));
      case "resume":
      case "fork":
      case "archive":
        return void (await this.#ask(session, `thread/${deed}`, { threadId }));
      case "rename":
        return void (await this.#ask(session, "thread/name/set", { threadId, name: "n" }));
      case "unsubscribe":
        this.#expectations.leave(session.expected, threadId);
        return void (await this.#ask(session, "thread/unsubscribe", { threadId }));
      case "turn":
      case "queue": {
        const broker = deed === "queue" ? { broker: { whenBusy: "queue" } } : {};
        return void (await this.#ask(session, "turn/start", { threadId, ...broker }));
      }
      case "interrupt": {
        const turnId = thread.turn ?? "none";
        return void (await this.#ask(session, "turn/interrupt", { threadId, turnId }));
      }
      case "watch":
        if (session.isWatching) return;
        session.isWatching = true;
        return void (await this.#ask(session, "fs/watch", { path: "/x", watchId: "w" }));
      case "sample":
        session.samples.push(await this.#ask(session, "thread/sample", { threadId }));
        return;
      case "cancel":
        return await this.#cancel(session, choice);
      case "go":
        await this.#go(session);
        this.#sessions[by] = await this.#connect();
    }
  }

  /** Names its own latest sample, or any number: another session may have a request of that id. */
  async #cancel(session: Driven, choice: number): Promise<void> {
    const requestId = choice % 2 === 0 ? (session.samples.at(-1) ?? choice) : choice;
    const outstanding = [...this.#server.waiting, ...this.#server.samples];
    const isOwn = this.#expectations.isAmong(outstanding, session.expected, requestId);
    this.#server.receive();
    const mark = await this.#ask(session, "thread/sample/cancel", { requestId }, requestId);
    const forwarded = this.#server
      .receive()
      .some(({ method }) => method === "thread/sample/cancel");
    expect(forwarded, `the cancellation ${mark} reaches the app-server`).toBe(isOwn);
  }

  async #go(session: Driven): Promise<void> {
    this.#expectations.disconnect(session.expected);
    await session.client.go();
  }

  async #ask(session: Driven, method: string, params: object, names?: number): Promise<number> {
    const id = session.sent.length + 1;
    const threadId = (params as { threadId?: string }).threadId;
    const asked = { session: session.expected, id, method, threadId, names };
    const mark = this.#expectations.ask(asked);
    session.sent.push(id);
    await session.client.say({ id, method, params: { ...params, mark } });
    return id;
  }

  /** Every event of its threads, in order, as often as it was told of it, and of no other thread. */
  #checkStreams(heard: readonly Message[], { streams }: ExpectedSession, who: string): void {
    for (const root of this.#server.roots) {
      const family = new Set([root.id]);
      for (const { id, parent } of this.#server.threads.values()) {
        if (parent === root.id) family.add(id);
      }
      const told = heard.filter(
        (each) => isStream(each) && family.has(String(each.params?.["threadId"])),
      );
      expect(
        told.map(({ params }) => params?.["seq"]),
        `${root.id} for ${who}`,
      ).toEqual(streams.get(root.id) ?? []);
    }
  }

  #checkNews(heard: readonly Message[], { news }: ExpectedSession, who: string): void {
    for (const threadId of this.#server.threads.keys()) {
      if (this.#expectations.delayed.has(threadId)) continue;
      const told = heard
        .filter(
          ({ method, params }) => NEWS.has(String(method)) && params?.["threadId"] === threadId,
        )
        .map(({ method }) => method);
      expect(told, `news of ${threadId} for ${who}`).toEqual(news.get(threadId) ?? []);
    }
  }
}

const NEWS = new Set(["thread/closed", "thread/archived", "thread/name/updated"]);

/** Whether it is sent to the subscribers of its thread alone. */
function isStream({ method, params }: Message): boolean {
  if (method === undefined || typeof params?.["seq"] !== "number") return false;
  return !NEWS.has(method) && method !== "thread/started" && params["ended"] !== true;
}

/** No session receives the end of a thread's former life after it has opened the thread anew (F185). */
function checkEnds(heard: readonly Message[], who: string): void {
  const openedAt = new Map<unknown, number>();
  for (const { method, params, result } of heard) {
    const thread = result?.["thread"] as { id: string } | undefined;
    if (thread !== undefined) openedAt.set(thread.id, Number(result?.["seq"]));
    if (params?.["ended"] !== true && method !== "thread/closed") continue;
    const since = openedAt.get(params?.["threadId"]) ?? -1;
    expect(
      Number(params?.["seq"]),
      `an end of ${String(params?.["threadId"])} for ${who}`,
    ).toBeGreaterThan(since);
  }
}

test(
  "F35 F32: whatever sessions do, each receives every event of its threads once, in order, and no other (F102, F106, F108, F110, F185)",
  { timeout: 60_000 + 100 * RUNS },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 60, size: "max" }), async (moves) => {
        const history = new History();
        try {
          await history.open();
          for (const each of moves) await history.do(each);
          await history.settle();
          history.check();
          await history.leave();
        } finally {
          history.close();
        }
      }),
      { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  },
);
