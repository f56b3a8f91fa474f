import { Bench, turnCompleted, turnStarted, type Message } from "./bench.ts";

/** A thread as the app-server knows it. */
export interface SimulatedThread {
  readonly id: string;
  /** The thread that a sub-agent's works for. */
  readonly parent: string | undefined;
  loaded: boolean;
  /** Whether the broker's connection is a subscriber. */
  subscribed: boolean;
  archived: boolean;
  /** The running turn. */
  turn: string | undefined;
}

/** What happens in the app-server, whether or not the broker is told. */
export interface SimulationEvents {
  /** A request has arrived. */
  onReceived(request: Message): void;
  /** A request has its response; called before that is sent. */
  onResponse(request: Message, response: Response): void;
  /** Something that only subscribers of the thread are told. */
  onStream(threadId: string, seq: number): void;
  /** A turn has begun or ended; called after the event that says so was recorded. */
  onTurn(threadId: string, begun: boolean): void;
  /** Something that every connection is told. */
  onNews(threadId: string, method: string): void;
  /** The thread has been unloaded. */
  onUnloaded(threadId: string): void;
  onChange(watchId: string): void;
  onSpawned(threadId: string, parent: string): void;
  /** A request has cancelled this sample, or none. */
  onCancelled(request: Message, sample: Message | undefined): void;
}

export interface Response {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

const failure = (message: string): Response => ({ error: { code: -32_600, message } });

/** What a request is about; those about the same are served in their order. */
function subjectOf({ params }: Message): unknown {
  return params?.["threadId"] ?? params?.["watchId"];
}

/**
 * An app-server as Codex is, as far as threads, subscriptions, handles and cancellations go. It serves
 * a request when it is told to; the requests about one thread or handle it serves in their order.
 */
export class SimulatedServer {
  readonly threads = new Map<string, SimulatedThread>();
  /** Requests that were received and have no response, the oldest first. */
  readonly waiting: Message[] = [];
  /** Requests for a sample that are worked on. */
  readonly samples: Message[] = [];
  readonly watches: string[] = [];
  readonly #bench: Bench;
  readonly #events: SimulationEvents;
  #taken = 0;
  #next = 0;

  constructor(bench: Bench, events: SimulationEvents) {
    this.#bench = bench;
    this.#events = events;
    this.#add(undefined);
  }

  get roots(): SimulatedThread[] {
    return [...this.threads.values()].filter(({ parent }) => parent === undefined);
  }

  get running(): SimulatedThread[] {
    return [...this.threads.values()].filter(({ turn }) => turn !== undefined);
  }

  /** Takes what has arrived. @returns the requests among it. */
  receive(): Message[] {
    const arrived = this.#bench.upstream.slice(this.#taken);
    this.#taken = this.#bench.upstream.length;
    const requests = arrived.filter(({ id, method }) => id !== undefined && method !== undefined);
    this.waiting.push(...requests);
    for (const each of requests) this.#events.onReceived(each);
    return requests;
  }

  /** Serves one of the waiting requests. */
  async serve(choice: number): Promise<void> {
    const heads = this.waiting.filter((each, index) => {
      const subject = subjectOf(each);
      return (
        subject === undefined ||
        this.waiting.findIndex((one) => subjectOf(one) === subject) === index
      );
    });
    const request = heads[choice % Math.max(1, heads.length)];
    if (request === undefined) return;
    this.waiting.splice(this.waiting.indexOf(request), 1);
    await this.#serve(request);
  }

  /** Something happens in a running turn. */
  async event(choice: number): Promise<void> {
    const thread = this.#runningAt(choice);
    if (thread !== undefined) await this.#stream(thread, "item/agentMessage/delta", {});
  }

  async endTurn(choice: number): Promise<void> {
    const thread = this.#runningAt(choice);
    if (thread !== undefined) await this.#endTurn(thread, "completed");
  }

  /** A running turn starts a sub-agent, whose thread is named by an item alone. */
  async spawn(choice: number): Promise<void> {
    const parent = this.#runningAt(choice);
    if (parent === undefined || parent.parent !== undefined) return;
    const child = this.#add(parent.id);
    child.loaded = true;
    child.subscribed = parent.subscribed;
    await this.#stream(child, "thread/status/changed", { status: { type: "idle" } });
    await this.#stream(child, "warning", { message: "early" });
    const item = { type: "collabAgentToolCall", receiverThreadIds: [child.id] };
    await this.#stream(parent, "item/completed", { item });
    await this.#beginTurn(child);
  }

  /** Codex unloads a thread without a subscriber after a while. */
  async unload(choice: number): Promise<void> {
    const idle = [...this.threads.values()].filter(
      ({ loaded, subscribed, turn }) => loaded && !subscribed && turn === undefined,
    );
    const thread = idle[choice % Math.max(1, idle.length)];
    if (thread === undefined) return;
    await this.#unload(thread);
    await this.#news(thread, "thread/closed", {});
  }

  /** Something changes that a session watches. */
  async change(choice: number): Promise<void> {
    const watchId = this.watches[choice % Math.max(1, this.watches.length)];
    if (watchId === undefined) return;
    this.#events.onChange(watchId);
    await this.#tell("fs/changed", { watchId, changedPaths: ["/x"] });
  }

  /** A sample is ready. */
  async finishSample(choice: number): Promise<void> {
    const [sample] = this.samples.splice(choice % Math.max(1, this.samples.length), 1);
    if (sample !== undefined) await this.#respond(sample, { result: { text: "a sample" } });
  }

  #runningAt(choice: number): SimulatedThread | undefined {
    return this.running[choice % Math.max(1, this.running.length)];
  }

  #add(parent: string | undefined): SimulatedThread {
    const thread: SimulatedThread = {
      id: `t${this.threads.size}`,
      parent,
      loaded: false,
      subscribed: false,
      archived: false,
      turn: undefined,
    };
    this.threads.set(thread.id, thread);
    if (parent !== undefined) this.#events.onSpawned(thread.id, parent);
    return thread;
  }

  async #serve(request: Message): Promise<void> {
    const { method, params } = request;
    const thread = this.threads.get(String(params?.["threadId"]));
    switch (method) {
      case "thread/start":
        return await this.#open(request, this.#add(undefined));
      case "thread/fork":
        if (thread === undefined) return await this.#respond(request, failure("no rollout found"));
        return await this.#open(request, this.#add(undefined));
      case "thread/resume":
        if (thread === undefined || thread.archived) {
          return await this.#respond(request, failure("no rollout found"));
        }
        return await this.#open(request, thread);
      case "thread/unsubscribe":
        return await this.#respond(request, { result: { status: this.#unsubscribe(thread) } });
      case "turn/start":
        return await this.#startTurn(request, thread);
      case "turn/interrupt":
        if (thread?.turn === undefined) return await this.#respond(request, failure("no turn"));
        await this.#respond(request, { result: {} });
        return await this.#endTurn(thread, "interrupted");
      case "thread/archive":
        return await this.#archive(request, thread);
      case "thread/name/set":
        await this.#respond(request, { result: {} });
        return thread && (await this.#news(thread, "thread/name/updated", { threadName: "n" }));
      case "thread/sample":
        return void this.samples.push(request);
      case "thread/sample/cancel":
        return await this.#cancelSample(request);
      case "fs/watch":
        this.watches.push(String(params?.["watchId"]));
        return await this.#respond(request, { result: {} });
      case "fs/unwatch":
        this.watches.splice(this.watches.indexOf(String(params?.["watchId"])), 1);
        return await this.#respond(request, { result: {} });
      default:
        return await this.#respond(request, { result: {} });
    }
  }

  async #open(request: Message, thread: SimulatedThread): Promise<void> {
    const isNew = request.method !== "thread/resume";
    thread.loaded = true;
    thread.subscribed = true;
    const started = (): Promise<void> =>
      this.#tell("thread/started", { thread: { id: thread.id }, seq: this.#next++ });
    // It may overtake the response.
    const early = isNew && this.#next % 2 === 0;
    if (early) await started();
    await this.#respond(request, { result: { thread: { id: thread.id }, seq: this.#next++ } });
    if (isNew && !early) await started();
  }

  #unsubscribe(thread: SimulatedThread | undefined): string {
    if (thread?.loaded !== true) return "notLoaded";
    const was = thread.subscribed;
    thread.subscribed = false;
    return was ? "unsubscribed" : "notSubscribed";
  }

  async #startTurn(request: Message, thread: SimulatedThread | undefined): Promise<void> {
    if (thread?.loaded !== true) return await this.#respond(request, failure("thread not found"));
    thread.turn = `u${this.#next++}`;
    await this.#respond(request, { result: { turn: { id: thread.turn } } });
    await this.#beginTurn(thread);
  }

  async #beginTurn(thread: SimulatedThread): Promise<void> {
    thread.turn ??= `u${this.#next++}`;
    const { params } = turnStarted(thread.id, thread.turn) as { params: object };
    this.#events.onTurn(thread.id, true);
    await this.#stream(thread, "turn/started", params);
  }

  async #endTurn(thread: SimulatedThread, status: string): Promise<void> {
    const { params } = turnCompleted(thread.id, thread.turn ?? "") as {
      params: { turn: object };
    };
    thread.turn = undefined;
    const seq = this.#record(thread);
    this.#events.onTurn(thread.id, false);
    const turn = { ...params.turn, status };
    if (thread.subscribed) await this.#tell("turn/completed", { ...params, turn, seq });
  }

  async #archive(request: Message, thread: SimulatedThread | undefined): Promise<void> {
    if (thread === undefined) return await this.#respond(request, failure("no rollout found"));
    const children = [...this.threads.values()].filter(({ parent }) => parent === thread.id);
    const family = [thread, ...children.filter(({ archived }) => !archived)];
    for (const each of family) {
      each.archived = true;
      if (each.turn !== undefined) await this.#endTurn(each, "interrupted");
    }
    for (const each of family) if (each.loaded) await this.#unload(each);
    await this.#respond(request, { result: {} });
    for (const each of family) await this.#news(each, "thread/archived", {});
  }

  async #cancelSample(request: Message): Promise<void> {
    const index = this.samples.findIndex(({ id }) => id === request.params?.["requestId"]);
    const [sample] = index < 0 ? [] : this.samples.splice(index, 1);
    this.#events.onCancelled(request, sample);
    await this.#respond(request, { result: {} });
    if (sample !== undefined) await this.#respond(sample, failure("cancelled"));
  }

  async #unload(thread: SimulatedThread): Promise<void> {
    thread.loaded = false;
    thread.subscribed = false;
    this.#events.onUnloaded(thread.id);
    const status = { type: "notLoaded" };
    await this.#tell("thread/status/changed", {
      threadId: thread.id,
      status,
      ended: true,
      seq: this.#next++,
    });
  }

  async #news(thread: SimulatedThread, method: string, more: object): Promise<void> {
    this.#events.onNews(thread.id, method);
    await this.#tell(method, { threadId: thread.id, ...more, seq: this.#next++ });
  }

  async #stream(thread: SimulatedThread, method: string, more: object): Promise<void> {
    const seq = this.#record(thread);
    if (thread.subscribed) await this.#tell(method, { threadId: thread.id, ...more, seq });
  }

  #record(thread: SimulatedThread): number {
    const seq = this.#next++;
    this.#events.onStream(thread.id, seq);
    return seq;
  }

  async #respond(request: Message, response: Response): Promise<void> {
    this.#events.onResponse(request, response);
    await this.#bench.tell({ id: request.id, ...response });
    this.receive();
  }

  async #tell(method: string, params: object): Promise<void> {
    await this.#bench.tell({ method, params });
    this.receive();
  }
}
