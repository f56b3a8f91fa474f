import type { Socket } from "node:net";
import { Router } from "../../src/broker/router.ts";
import { Session } from "../../src/broker/session.ts";
import { UnfinishedLines } from "../../src/broker/unfinished-lines.ts";
import { DEFAULT_LIMITS } from "../../src/lifecycle/start-protocol.ts";
import type { UnqueueParams } from "../../src/wire/broker-protocol.ts";
import type { RequestFrame } from "../../src/wire/frame.ts";
import { resultLine } from "../../src/wire/messages.ts";
import { linkedEnds } from "../wire/duplex.ts";
import { textLineOf } from "../../src/wire/line.ts";

export interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: Readonly<Record<string, unknown>>;
  };
}

/** A client at the far end of a session. */
export interface Client {
  /** What it has heard, the oldest first. */
  readonly heard: readonly Message[];
  /** Sends a message and lets it arrive. */
  say(message: object): Promise<void>;
  /** Sends a line just as it is, and lets it arrive. */
  write(line: string): Promise<void>;
  /** The answer to the request with that id. */
  answerTo(id: number | string): Message | undefined;
  methods(): string[];
  /** Goes without a word. */
  go(): Promise<void>;
}

/**
 * The router with real sessions over connections in memory, and an app-server that says and answers
 * exactly what the test has it say.
 */
export class Bench {
  static readonly WORKSPACE = "/some/where";

  /** What has reached the app-server, the oldest first. */
  readonly upstream: Message[] = [];
  readonly calls = { turnsChanged: 0, commandStarted: 0, allAnswered: 0, silence: 0 };
  readonly router = new Router({
    workspace: Bench.WORKSPACE,
    findOlderTurn: () => Promise.resolve(undefined),
    writerOf: async () => undefined,
    answerTimeoutMs: 600_000,
    capacity: DEFAULT_LIMITS,
    onTurnsChanged: () => void (this.calls.turnsChanged += 1),
    onThreadEvent: () => {},
    onTurnLost: () => {},
    onTurnStuck: () => {},
    onCommandStarted: () => void (this.calls.commandStarted += 1),
    onWork: () => {},
    onAllAnswered: () => void (this.calls.allAnswered += 1),
    onSilence: () => void (this.calls.silence += 1),
  });
  #nextSession = 1;
  readonly #unfinished = new UnfinishedLines(DEFAULT_LIMITS.maxUnfinishedBytes);

  /** @param how whether the app-server takes anything yet */
  constructor({ started } = { started: true }) {
    if (!started) return;
    this.router.upstream.open((line) =>
      this.upstream.push(JSON.parse(textLineOf(line)) as Message),
    );
  }

  /** A client that has said who it is, and is joined as the broker does it. */
  async client(capabilities: object = {}, broker?: object): Promise<Client> {
    const { near, far, sent, say } = linkedEnds();
    const heard = (): Message[] => sent.map((line) => JSON.parse(line) as Message);
    // A session asks nothing of a socket that another duplex stream has not.
    void new Session(
      this.#nextSession++,
      near as unknown as Socket,
      {
        onInitialize: (from, frame) => {
          from.introduce(frame.params);
          this.router.join(from);
        },
        onRequest: (from, frame) => this.#request(from, frame),
        onNotification: (from, frame) => this.router.notification(from, frame),
        onAnswer: (from, frame) => this.router.answer(from, frame),
        onEnd: (from) => this.router.leave(from),
      },
      DEFAULT_LIMITS,
      this.#unfinished,
    );
    const write = async (line: string): Promise<void> => {
      say(line);
      await arrived();
    };
    const send = (message: object): Promise<void> => write(JSON.stringify(message));
    await send({ id: 0, method: "initialize", params: { capabilities, broker } });
    return {
      get heard() {
        return heard();
      },
      say: send,
      write,
      answerTo: (id) => heard().find((each) => each.id === id && each.method === undefined),
      methods: () => heard().flatMap(({ method }) => method ?? []),
      async go() {
        far.destroy();
        near.destroy();
        await arrived();
      },
    };
  }

  #request(from: Session, frame: RequestFrame): void {
    if (frame.method !== "broker/unqueue") return this.router.request(from, frame);
    const { threadId, ticket } = frame.params as UnqueueParams;
    const unqueued = this.router.unqueue(from, threadId, ticket);
    from.send(resultLine(frame.id, { unqueued }));
  }

  /** The requests of that method that have reached the app-server. */
  asked(method: string): Message[] {
    return this.upstream.filter((each) => each.method === method);
  }

  /** Lets arrive what is on its way. */
  async settle(): Promise<void> {
    await arrived();
  }

  /** What the app-server says, now. */
  async tell(message: object): Promise<void> {
    this.router.upstream.receive(Buffer.from(JSON.stringify(message)));
    await arrived();
  }

  /** The answer of the app-server to the latest request of that method. */
  async answer(method: string, answer: { result?: unknown; error?: unknown }): Promise<void> {
    const { id } = this.asked(method).at(-1) ?? {};
    await this.tell({ id, ...answer });
  }

  /** A thread that this client has started. */
  async thread(client: Client, threadId: string): Promise<void> {
    await client.say({ id: `start ${threadId}`, method: "thread/start", params: {} });
    await this.answer("thread/start", { result: { thread: { id: threadId } } });
  }

  /** A thread that this client hears besides others. */
  async joins(client: Client, threadId: string): Promise<void> {
    await client.say({ id: `join ${threadId}`, method: "thread/resume", params: { threadId } });
    await this.answer("thread/resume", { result: { thread: { id: threadId } } });
  }

  /** A thread that a sub-agent of the parent's has been given. */
  async subAgent(parentThreadId: string, id: string): Promise<void> {
    await this.tell({ method: "thread/started", params: { thread: { id, parentThreadId } } });
  }

  /** A turn that this client has started, and that has begun. */
  async turn(client: Client, threadId: string, turnId: string): Promise<void> {
    await client.say({ id: turnId, method: "turn/start", params: { threadId, input: [] } });
    await this.answer("turn/start", { result: { turn: { id: turnId } } });
    await this.tell(turnStarted(threadId, turnId));
  }
}

export function turnStarted(threadId: string, id: string): object {
  return { method: "turn/started", params: { threadId, turn: { id } } };
}

export function turnCompleted(threadId: string, id: string): object {
  return { method: "turn/completed", params: { threadId, turn: { id, status: "completed" } } };
}

/** Long enough for a line to go through a connection in memory, and for the answer to come back. */
async function arrived(): Promise<void> {
  for (let turns = 0; turns < 4; turns += 1) await new Promise(setImmediate);
}
