import { isRecord } from "../../src/wire/messages.ts";
import type { Ledger } from "./ledger.ts";
import { Subscription, turnIdIn } from "./subscription.ts";
import type { Answer, Session, SessionEvents } from "./session.ts";

type Params = Readonly<Record<string, unknown>>;

/** Longer than any bound of the broker on a busy machine. */
const ANSWERED_WITHIN_MS = 60_000;

/** One session and everything that it has asked for and received. */
export class Watcher {
  readonly name: string;
  session!: Session;
  isDraining = false;
  /** Somebody here has ended it on purpose. */
  isLeft = false;
  isClosed = false;
  readonly #ledger: Ledger;
  readonly #active = new Map<string, Subscription>();
  readonly #ever: Subscription[] = [];
  /** Threads that a turn opens by itself, and when the latest of these was asked for. */
  readonly #implicit = new Map<string, number>();
  /** How many requests that open each thread by themselves are not answered yet. */
  readonly #pendingOpens = new Map<string, number>();
  /** When the latest request to leave each thread was answered; Infinity until then. */
  readonly #leftAt = new Map<string, number>();
  /** Requests to leave a thread that are not answered yet. */
  readonly #leaving = new Map<string, Promise<Answer>>();
  #opensUnknown = 0;

  constructor(name: string, ledger: Ledger) {
    this.name = name;
    this.#ledger = ledger;
  }

  static async open(
    name: string,
    ledger: Ledger,
    open: (events: SessionEvents) => Promise<Session>,
  ): Promise<Watcher> {
    const watcher = new Watcher(name, ledger);
    watcher.session = await open({
      onNotification: (method, params) => watcher.#receive(method, params),
      onDraining: () => (watcher.isDraining = true),
    });
    void watcher.session.closed.then(() => watcher.#closed());
    return watcher;
  }

  subscriptionTo(threadId: string): Subscription | undefined {
    return this.#active.get(threadId);
  }

  /**
   * Runs what opens a thread without a request of this session: a turn of the library. Until it has
   * ended, events of a thread that is not known yet are its own.
   */
  async implicitly<T>(threadId: string | undefined, run: () => Promise<T>): Promise<T> {
    if (threadId === undefined) this.#opensUnknown += 1;
    const done = threadId === undefined ? undefined : this.#opensImplicitly(threadId);
    try {
      return await run();
    } finally {
      if (threadId === undefined) this.#opensUnknown -= 1;
      done?.();
    }
  }

  /**
   * A session that starts a turn receives its events, though it has left the thread while the turn waited.
   *
   * @returns what to do when the request was answered.
   */
  startsTurnOn(threadId: string): () => void {
    return this.#opensImplicitly(threadId);
  }

  #opensImplicitly(threadId: string): () => void {
    this.#implicit.set(threadId, performance.now());
    this.#pendingOpens.set(threadId, (this.#pendingOpens.get(threadId) ?? 0) + 1);
    return () => this.#pendingOpens.set(threadId, (this.#pendingOpens.get(threadId) ?? 1) - 1);
  }

  /** Whether the session has left the thread, or was leaving it at that time or later. */
  hasLeft(threadId: string, since: number): boolean {
    const leftAt = this.#leftAt.get(threadId);
    return leftAt !== undefined && (leftAt >= since || !this.#active.has(threadId));
  }

  /** Turns whose end should have come and has not. */
  missing(): string[] {
    if (this.isLeft || (this.isClosed && this.#ledger.outages > 0)) return [];
    return [...this.#active.values()].flatMap((each) => each.missing());
  }

  /** Whether it was subscribed to the thread before then, and still is. */
  hasFollowed(threadId: string, since: number): Subscription | undefined {
    const subscription = this.#active.get(threadId);
    const follows = !this.isLeft && !this.isClosed && !this.isDraining;
    return follows && (subscription?.openedAt ?? Infinity) < since ? subscription : undefined;
  }

  judge(): void {
    for (const each of this.#ever) each.judge();
  }

  async ask(
    method: string,
    params: Params,
    onAnswer: (answer: Answer) => void = () => {},
  ): Promise<Answer> {
    this.#ledger.note(`${this.name} asks ${method} ${threadIdIn(params)}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answer>((resolve) => {
      timer = setTimeout(() => {
        this.#ledger.violation(`${this.name}: no answer to ${method} ${JSON.stringify(params)}`);
        resolve({ ok: false, kind: "unanswered", message: method });
      }, ANSWERED_WITHIN_MS);
    });
    const answered = this.session.ask(method, params, (answer) => {
      const what = answer.ok ? "a result" : `${answer.kind}: ${answer.message.slice(0, 200)}`;
      this.#ledger.note(`${this.name} gets ${what} for ${method}`);
      onAnswer(answer);
    });
    const answer = await Promise.race([answered, late]);
    clearTimeout(timer);
    return answer;
  }

  /** Sends a request that opens a thread that is new, and subscribes to it with the answer. */
  async start(params: Params): Promise<Answer> {
    return await this.ask("thread/start", params, (answer) => {
      const thread = answer.ok ? answer.result["thread"] : undefined;
      if (isRecord(thread)) this.#subscribe(String(thread["id"])).openedAt = performance.now();
    });
  }

  /**
   * Sends a request that opens a thread with a history. What comes of it counts from here on, because
   * the session is told of a turn that runs right after the answer.
   */
  async open(threadId: string, method: string, params: Params): Promise<Answer> {
    // The library tells of an answer later than of the events behind it.
    if (this.session.kind === "library") await this.#leaving.get(threadId);
    const before = this.#active.get(threadId);
    const subscription = before ?? this.#subscribe(threadId);
    subscription.opening += 1;
    return await this.ask(method, params, (answer) => {
      subscription.opening -= 1;
      const isCurrent = this.#active.get(threadId) === subscription;
      if (answer.ok) subscription.openedAt = Math.min(subscription.openedAt, performance.now());
      else if (isCurrent && subscription.openedAt === Infinity && subscription.opening === 0) {
        this.#active.delete(threadId);
      }
    });
  }

  async unsubscribe(threadId: string): Promise<Answer> {
    this.#active.delete(threadId);
    this.#leftAt.set(threadId, Infinity);
    const from = performance.now();
    const answer = this.ask("thread/unsubscribe", { threadId }, () => {
      if (this.#leaving.get(threadId) === answer) {
        this.#leaving.delete(threadId);
        this.#leftAt.set(threadId, performance.now());
      }
      // A turn that is being started, or was asked for afterwards, subscribes again.
      const isPending = (this.#pendingOpens.get(threadId) ?? 0) > 0;
      if (!isPending && (this.#implicit.get(threadId) ?? 0) < from) this.#implicit.delete(threadId);
    });
    this.#leaving.set(threadId, answer);
    return await answer;
  }

  #subscribe(threadId: string): Subscription {
    const isPartial = this.#implicit.has(threadId) || this.#opensUnknown > 0;
    const subscription = new Subscription(threadId, this.name, this.#ledger, isPartial);
    this.#active.set(threadId, subscription);
    this.#ever.push(subscription);
    return subscription;
  }

  leave(kill: boolean): void {
    this.isLeft = true;
    this.#ledger.note(`${this.name} ${kill ? "is killed" : "closes"}`);
    if (kill) this.session.kill();
    else this.session.close();
  }

  #receive(method: string, params: Params): void {
    if (method === "answered twice") {
      this.#ledger.violation(
        `${this.name}: an answer that nobody waits for: ${JSON.stringify(params)}`,
      );
      return;
    }
    const threadId = threadIdIn(params);
    this.#ledger.note(`${this.name} receives ${method} ${threadId} ${turnIdIn(params) ?? ""}`);
    this.#observe(method, params, threadId);
    if (this.isLeft) return;
    const subscription = this.#active.get(threadId);
    if (this.#leaving.has(threadId)) return;
    if (subscription !== undefined) subscription.receive(method, params);
    else if (/^(?:turn|item)\//.test(method)) this.#unasked(method, threadId);
  }

  #observe(method: string, params: Params, threadId: string): void {
    const turnId = turnIdIn(params);
    if (turnId === undefined) return;
    const turn = this.#ledger.turn(threadId, turnId);
    const ends = method === "turn/completed" || method === "broker/turnLost";
    if (ends && !turn.over) this.#ledger.ended(turn);
  }

  #unasked(method: string, threadId: string): void {
    if (this.#opensUnknown > 0) this.#implicit.set(threadId, performance.now());
    if (this.#implicit.has(threadId)) return;
    this.#ledger.violation(`${this.name} receives ${method} of ${threadId}, which it has left`);
  }

  #closed(): void {
    this.isClosed = true;
    this.#ledger.note(`${this.name} is closed`);
    if (this.isLeft || this.isDraining || this.#ledger.outages > 0) return;
    this.#ledger.violation(`${this.name}: its connection was ended by the other side`);
  }
}

function threadIdIn(params: Params): string {
  const threadId = params["threadId"];
  return typeof threadId === "string" ? threadId : "";
}
