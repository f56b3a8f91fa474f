import * as fc from "fast-check";
import { expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const SESSIONS = 3;
const THREADS = ["t0", "t1"];

type Move =
  | { readonly kind: "start" | "queue" | "join" | "unsubscribe"; session: number; thread: number }
  | { readonly kind: "event" | "end"; thread: number }
  | { readonly kind: "go"; session: number };

const session = fc.nat({ max: SESSIONS - 1 });
const thread = fc.nat({ max: THREADS.length - 1 });
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("event" as const), thread }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("join" as const), session, thread }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("start" as const), session, thread }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("queue" as const), session, thread }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), thread }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unsubscribe" as const), session, thread }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("go" as const), session }) },
);

/** Who must receive what, in the plainest words. */
class Model {
  /** What each session must have heard of each thread, in order. */
  readonly heard = Array.from({ length: SESSIONS }, () => THREADS.map((): string[] => []));
  readonly hears = THREADS.map(() => new Set<number>());
  readonly owner: Array<number | undefined> = THREADS.map(() => undefined);
  readonly running: Array<string | undefined> = THREADS.map(() => undefined);
  readonly backlog = THREADS.map((): string[] => []);
  readonly queue = THREADS.map((): Array<{ session: number; turn: string }> => []);
  readonly gone = new Set<number>();

  tell(thread: number, event: string): void {
    for (const session of this.hears[thread]!) this.heard[session]![thread]!.push(event);
    if (this.running[thread] !== undefined) this.backlog[thread]!.push(event);
  }

  join(session: number, thread: number): void {
    if (this.hears[thread]!.has(session)) return;
    this.hears[thread]!.add(session);
    this.heard[session]![thread]!.push(...this.backlog[thread]!);
  }

  begin(session: number, thread: number, turn: string): void {
    this.hears[thread]!.add(session);
    this.owner[thread] = session;
    this.running[thread] = turn;
    this.tell(thread, `started ${turn}`);
  }

  /** @returns the turn that begins in its place. */
  end(thread: number): { session: number; turn: string } | undefined {
    this.tell(thread, `completed ${this.running[thread] ?? ""}`);
    this.running[thread] = undefined;
    this.owner[thread] = undefined;
    this.backlog[thread] = [];
    return this.queue[thread]!.shift();
  }
}

/** The router, driven by the same moves, with an app-server that says what the model expects. */
class Driven {
  readonly bench = new Bench();
  readonly model = new Model();
  readonly clients: Client[] = [];
  #next = 0;

  async open(): Promise<void> {
    for (let n = 0; n < SESSIONS; n += 1) this.clients.push(await this.bench.client());
    for (const [index, id] of THREADS.entries()) {
      await this.bench.thread(this.clients[0]!, id);
      this.model.hears[index]!.add(0);
      // Keeps the thread loaded, whoever leaves.
      await this.bench.joins((this.#keeper ??= await this.bench.client()), id);
    }
  }
  #keeper: Client | undefined;

  async do(move: Move): Promise<void> {
    const { model } = this;
    if ("session" in move && model.gone.has(move.session)) return;
    switch (move.kind) {
      case "event":
        return await this.#event(move.thread);
      case "end":
        if (model.running[move.thread] !== undefined) await this.#end(move.thread);
        return;
      case "join":
        model.join(move.session, move.thread);
        return await this.bench.joins(this.clients[move.session]!, THREADS[move.thread]!);
      case "unsubscribe":
        return await this.#unsubscribe(move.session, move.thread);
      case "start":
      case "queue":
        return await this.#start(move);
      case "go":
        return await this.#go(move.session);
    }
  }

  async #event(thread: number): Promise<void> {
    const name = `e${this.#next++}`;
    const params = { threadId: THREADS[thread], name };
    await this.bench.tell({ method: "item/agentMessage/delta", params });
    this.model.tell(thread, name);
  }

  async #start({
    kind,
    session,
    thread,
  }: Extract<Move, { session: number; thread: number }>): Promise<void> {
    const turn = `u${this.#next++}`;
    const client = this.clients[session]!;
    const broker = kind === "queue" ? { broker: { whenBusy: "queue", ticket: turn } } : {};
    const asked = this.bench.asked("turn/start").length;
    await client.say({
      id: turn,
      method: "turn/start",
      params: { threadId: THREADS[thread], ...broker },
    });
    if (this.model.running[thread] === undefined) {
      return await this.#begin({ session, turn }, thread);
    }
    expect(this.bench.asked("turn/start")).toHaveLength(asked);
    if (kind === "queue") this.model.queue[thread]!.push({ session, turn });
    else expect(client.answerTo(turn)?.error?.data).toMatchObject({ kind: "threadBusy" });
  }

  async #begin(
    { session, turn }: { session: number; turn: string },
    thread: number,
  ): Promise<void> {
    await this.bench.answer("turn/start", { result: { turn: { id: turn } } });
    expect(this.clients[session]!.answerTo(turn)?.result).toEqual({ turn: { id: turn } });
    await this.bench.tell(turnStarted(THREADS[thread]!, turn));
    this.model.begin(session, thread, turn);
  }

  async #end(thread: number): Promise<void> {
    await this.bench.tell(turnCompleted(THREADS[thread]!, this.model.running[thread]!));
    const next = this.model.end(thread);
    if (next !== undefined) await this.#begin(next, thread);
  }

  async #unsubscribe(session: number, thread: number): Promise<void> {
    const id = `leave${this.#next++}`;
    const params = { threadId: THREADS[thread] };
    await this.clients[session]!.say({ id, method: "thread/unsubscribe", params });
    const was = this.model.hears[thread]!.delete(session);
    const status = was ? "unsubscribed" : "notSubscribed";
    expect(this.clients[session]!.answerTo(id)?.result).toEqual({ status });
  }

  async #go(session: number): Promise<void> {
    const { model } = this;
    await this.clients[session]!.go();
    model.gone.add(session);
    for (const thread of THREADS.keys()) {
      model.hears[thread]!.delete(session);
      model.queue[thread] = model.queue[thread]!.filter((each) => each.session !== session);
      if (model.owner[thread] === session) model.owner[thread] = undefined;
    }
  }

  check(): void {
    for (const [index, client] of this.clients.entries()) {
      for (const [thread, id] of THREADS.entries()) {
        expect(story(client, id), `session ${index} of ${id}`).toEqual(
          this.model.heard[index]![thread],
        );
      }
    }
    const turns = this.bench.router.turns().map(({ threadId, turnId, session }) => ({
      threadId,
      turnId,
      session,
    }));
    const expected = THREADS.flatMap((threadId, thread) => {
      const [turnId, owner] = [this.model.running[thread], this.model.owner[thread]];
      return turnId === undefined
        ? []
        : [{ threadId, turnId, session: owner === undefined ? null : owner + 1 }];
    });
    const byThread = (one: { threadId: string }, other: { threadId: string }): number =>
      one.threadId.localeCompare(other.threadId);
    expect(turns.toSorted(byThread)).toEqual(expected);
  }
}

/** What a session has heard of a thread. */
function story(client: Client, threadId: string): string[] {
  return client.heard.flatMap(({ method, params }) => {
    if (method === undefined || params?.["threadId"] !== threadId) return [];
    const turn = params["turn"] as { id: string } | undefined;
    if (method === "turn/started") return [`started ${turn?.id ?? ""}`];
    if (method === "turn/completed") return [`completed ${turn?.id ?? ""}`];
    return method === "item/agentMessage/delta" ? [String(params["name"])] : [];
  });
}

test(
  "F35 F32: whatever sessions do, each hears every event of its threads once, in order, and no other",
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
        const driven = new Driven();
        await driven.open();
        for (const each of moves) await driven.do(each);
        driven.check();
        driven.bench.router.lose(new BrokerError("connectionLost", "The run is over."));
      }),
      { numRuns: Number(process.env["MODEL_RUNS"] ?? 60) },
    );
  },
);
