/** A client of an app-server, whatever is between the two. */
export interface Client {
  /** @throws RpcFailure as answered; Error when the connection has ended. */
  request(method: string, params?: object): Promise<unknown>;
  /** Hears all notifications of that thread from now on, in place of whoever did; or nobody does. */
  listen(threadId: string, listener: Listener | undefined): void;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  close(): void;
}

export type Listener = (method: string, message: Message) => void;

export interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
  /** When the app-server has sent it. */
  readonly emittedAtMs?: number;
}

export class RpcFailure extends Error {
  readonly code: number;

  constructor(error: { readonly code: number; readonly message: string }) {
    super(error.message);
    this.code = error.code;
  }
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The least that a client can be, and the same for every contender: what is between is compared. */
export class MessageClient implements Client {
  readonly ended: Promise<void>;
  readonly #send: (text: string) => void;
  readonly #close: () => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<unknown, Listener>();
  #nextId = 1;
  #end!: () => void;

  constructor(send: (text: string) => void, close: () => void) {
    this.#send = send;
    this.#close = close;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  request(method: string, params: object = {}): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send(JSON.stringify({ id, method, params }));
    });
  }

  async initialize(): Promise<this> {
    await this.request("initialize", {
      clientInfo: { name: "bench", title: null, version: "0" },
      capabilities: {},
    });
    this.#send('{"method":"initialized"}');
    return this;
  }

  listen(threadId: string, listener: Listener | undefined): void {
    if (listener === undefined) this.#listeners.delete(threadId);
    else this.#listeners.set(threadId, listener);
  }

  close(): void {
    this.#close();
  }

  take(text: string): void {
    const message = JSON.parse(text) as Message;
    if (message.method !== undefined) {
      return this.#listeners.get(message.params?.["threadId"])?.(message.method, message);
    }
    const waiting = this.#waiting.get(message.id ?? 0);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id ?? 0);
    if (message.error === undefined) waiting.resolve(message.result);
    else waiting.reject(new RpcFailure(message.error));
  }

  /** To be called when the connection has ended. */
  lost(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error("the connection has ended"));
    this.#waiting.clear();
    this.#end();
  }
}
