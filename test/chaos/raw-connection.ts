import { connect, type Socket } from "node:net";
import { Deadline } from "../../src/base/deadline.ts";
import { deferred, type Deferred } from "../../src/base/deferred.ts";
import { LineSplitter } from "../../src/wire/line-splitter.ts";
import type { Message } from "../broker/raw-session.ts";

const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** For what never comes: longer than any bound of the broker. */
const ANSWER_WITHIN_MS = 100_000;

/** The connection has ended, with this request unanswered. */
export class ConnectionEnded extends Error {}

/** One connection of a plain app-server client. */
export class RawConnection {
  /** Resolves when no new work is taken here. */
  readonly draining: Promise<void>;
  readonly closed: Promise<void>;
  isDraining = false;
  /** Answers to requests that had been answered before, or were never sent. */
  doubled = 0;
  /** Work that still needs this connection. */
  users = 0;
  readonly #socket: Socket;
  readonly #closed = deferred<void>();
  readonly #draining = deferred<void>();
  readonly #pending = new Map<number, Deferred<Message>>();
  readonly #listeners = new Set<(message: Message) => void>();
  #nextId = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = this.#closed.promise;
    this.draining = this.#draining.promise;
    const splitter = new LineSplitter(
      { onLine: (line) => this.#take(line.toString("utf8")), onOversizedLine: () => {} },
      MAX_LINE_BYTES,
    );
    socket.on("data", (chunk: Buffer) => splitter.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => this.#end());
  }

  /** @throws the error of the connect, or ConnectionEnded when it was turned away. */
  static async open(endpoint: string): Promise<RawConnection> {
    const socket = connect({ path: endpoint });
    const opened = deferred<void>();
    socket.once("connect", opened.resolve);
    socket.once("error", opened.reject);
    await opened.promise;
    const connection = new RawConnection(socket);
    const answer = await connection.request("initialize", {
      clientInfo: { name: "chaos: raw", title: null, version: "1" },
      capabilities: {},
    });
    if (answer.error !== undefined) throw new ConnectionEnded(answer.error.message);
    connection.#send({ method: "initialized" });
    return connection;
  }

  async request(method: string, params: object): Promise<Message> {
    const id = this.#nextId++;
    const answer = deferred<Message>();
    this.#pending.set(id, answer);
    this.#send({ id, method, params });
    if (this.#socket.destroyed) this.#end();
    return await Deadline.after(ANSWER_WITHIN_MS).race(
      answer.promise,
      () => new Error(`no answer to ${method}`),
    );
  }

  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  answer(id: Message["id"], result: object): void {
    this.#send({ id, result });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #send(message: object): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #take(line: string): void {
    const message = JSON.parse(line) as Message;
    if (message.method === "broker/draining" && message.params?.["reconnect"] === true) {
      this.isDraining = true;
      this.#draining.resolve();
    }
    if (message.method === undefined) {
      const pending = this.#pending.get(Number(message.id));
      if (pending === undefined) this.doubled += 1;
      this.#pending.delete(Number(message.id));
      pending?.resolve(message);
    } else {
      for (const listener of this.#listeners) listener(message);
    }
  }

  #end(): void {
    for (const answer of this.#pending.values()) answer.reject(new ConnectionEnded("it ended"));
    this.#pending.clear();
    this.#closed.resolve();
  }
}
