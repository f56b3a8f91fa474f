import { connect, type Socket } from "node:net";
import { Deadline } from "../../src/base/deadline.ts";
import { deferred } from "../../src/base/deferred.ts";
import { LineSplitter } from "../../src/wire/line-splitter.ts";

const WAIT_MS = 20_000;

export interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: Record<string, unknown>;
  };
}

/** A client that is none of ours: bytes in, messages out, in the order of arrival. */
export class RawSession implements AsyncDisposable {
  readonly messages: Message[] = [];
  readonly lines: string[] = [];
  readonly socket: Socket;
  readonly #ended = deferred<void>();
  #wake = deferred<void>();
  #nextId = 1;

  private constructor(socket: Socket) {
    this.socket = socket;
    const splitter = new LineSplitter(
      { onLine: (line) => this.#take(line.toString("utf8")), onOversizedLine: () => {} },
      256 * 1024 * 1024,
    );
    socket.on("data", (chunk: Buffer) => splitter.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended.resolve();
      this.#wake.resolve();
    });
  }

  static async open(endpoint: string): Promise<RawSession> {
    const socket = connect(endpoint);
    const opened = deferred<void>();
    socket.once("connect", opened.resolve);
    socket.once("error", opened.reject);
    await opened.promise;
    return new RawSession(socket);
  }

  /** A session that has said who it is, as any app-server client does. */
  static async initialized(endpoint: string, capabilities: object = {}): Promise<RawSession> {
    const session = await RawSession.open(endpoint);
    await session.ask("initialize", {
      clientInfo: { name: "raw", title: null, version: "0" },
      capabilities,
    });
    session.send({ method: "initialized" });
    return session;
  }

  get ended(): Promise<void> {
    return Deadline.after(WAIT_MS).race(
      this.#ended.promise,
      () => new Error("the session does not end"),
    );
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  send(message: object): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  /** Sends a request and waits for its answer. */
  async ask(method: string, params: object = {}): Promise<Message> {
    const id = this.#nextId++;
    this.send({ id, method, params });
    return await this.next((message) => message.id === id && message.method === undefined);
  }

  async nextOf(method: string): Promise<Message> {
    return await this.next((message) => message.method === method);
  }

  /** The first message that fits, among those that came and those to come. */
  async next(fits: (message: Message) => boolean): Promise<Message> {
    const deadline = Deadline.after(WAIT_MS);
    for (let seen = 0; ;) {
      for (; seen < this.messages.length; seen += 1) {
        const message = this.messages[seen];
        if (message !== undefined && fits(message)) return message;
      }
      if (this.socket.destroyed) throw this.#notAmong("it has ended");
      await deadline.race(this.#wake.promise, () => this.#notAmong("too late"));
    }
  }

  #notAmong(why: string): Error {
    const latest = this.lines.slice(-50).map((line) => line.slice(0, 500));
    return new Error(`${why}; not among ${latest.join("\n")}`);
  }

  methods(): string[] {
    return this.messages.flatMap(({ method }) => method ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.ended;
  }

  #take(line: string): void {
    this.lines.push(line);
    this.messages.push(JSON.parse(line) as Message);
    this.#wake.resolve();
    this.#wake = deferred();
  }
}
