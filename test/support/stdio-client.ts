import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";

import { type Json, type JsonObject, at, isObject } from "./json.ts";

/** How to start the child. */
export interface StdioClientOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Laid over the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds after which any wait gives up. 10 000 unless given. */
  readonly deadlineMs?: number;
}

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An error answer of the app-server. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: Json | undefined;

  constructor(error: Json | undefined) {
    const message = at(error, "message");
    const code = at(error, "code");
    super(typeof message === "string" ? message : "error without a message");
    this.name = "RpcError";
    this.code = typeof code === "number" ? code : Number.NaN;
    this.data = at(error, "data");
  }
}

interface Received {
  readonly line: string;
  /** Absent when the line is no JSON object. */
  readonly message?: JsonObject;
}

interface Waiter {
  readonly wants: (received: Received) => boolean;
  readonly settle: (received: Received) => void;
  readonly fail: (cause: Error) => void;
}

/** How long the pipe may still deliver what the child wrote before it ended; a descendant may hold it open for ever. */
const LAST_WORDS_MS = 200;

/**
 * A direct client of an app-server over its standard streams, one JSON message a line.
 *
 * It knows nothing of the protocol but the lines and the ids, so that what a test sees is what the child said. Each
 * wait ends by its deadline, and at once when the child has ended.
 */
export class StdioClient implements AsyncDisposable {
  /** Every line so far, as it came. */
  readonly lines: string[] = [];
  /** What the child wrote to its standard error so far. */
  stderr = "";
  /** Settles when the process has ended, whoever may still hold its pipes. */
  readonly exited: Promise<Exit>;

  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #deadlineMs: number;
  readonly #unread: Received[] = [];
  readonly #waiters = new Set<Waiter>();
  #gone: Error | undefined;
  #lastId = 0;

  constructor(options: StdioClientOptions) {
    this.#deadlineMs = options.deadlineMs ?? 10_000;
    this.#child = spawn(options.command, options.args ?? ["app-server"], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.exited = this.#watchExit();
    this.#readLines();
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    // A child that ended while we write is reported by `exited`, not by a broken pipe.
    this.#child.stdin.on("error", () => undefined);
  }

  /** Process id of the child; 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The messages so far, of whatever kind. */
  get messages(): readonly JsonObject[] {
    return this.lines.map(parseObject).filter((message) => message !== undefined);
  }

  /** Writes one message. */
  send(message: JsonObject): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  /** Writes exactly these bytes. */
  write(bytes: string | Uint8Array): void {
    this.#child.stdin.write(bytes);
  }

  /** Asks and gives the whole answer, be it a result or an error. */
  async ask(method: string, params: Json = {}): Promise<JsonObject> {
    const id = ++this.#lastId;
    this.send({ id, method, params });
    return await this.next(
      (message) => message["id"] === id && !("method" in message),
      `the answer to ${method}`,
    );
  }

  /**
   * Asks and gives the result.
   *
   * @throws RpcError when the answer is an error.
   */
  async request(method: string, params: Json = {}): Promise<Json> {
    const answer = await this.ask(method, params);
    if ("error" in answer) throw new RpcError(answer["error"]);
    return answer["result"] ?? null;
  }

  /** Shakes hands as `test` with the experimental methods on, and gives the result. */
  async initialize(capabilities: JsonObject = { experimentalApi: true }): Promise<Json> {
    const result = await this.request("initialize", {
      clientInfo: { name: "test", title: null, version: "0" },
      capabilities,
    });
    this.send({ method: "initialized" });
    return result;
  }

  /**
   * The first message not taken before that fits; those passed over stay for later calls.
   *
   * @throws Error at the deadline, or when the child has ended.
   */
  async next(
    wants: (message: JsonObject) => boolean,
    what = "a message",
    deadlineMs = this.#deadlineMs,
  ): Promise<JsonObject> {
    const received = await this.#take(
      ({ message }) => message !== undefined && wants(message),
      what,
      deadlineMs,
    );
    return received.message ?? {};
  }

  /** The first notification or server request of that method which also fits `wants`. */
  async nextOf(
    method: string,
    wants: (params: Json | undefined) => boolean = () => true,
  ): Promise<JsonObject> {
    return await this.next(
      (message) => message["method"] === method && wants(message["params"]),
      method,
    );
  }

  /** As {@link next}, but over the text of the lines: numbers as they were written, and what is no JSON at all. */
  async nextLine(
    wants: (line: string) => boolean,
    what = "a line",
    deadlineMs = this.#deadlineMs,
  ): Promise<string> {
    return (await this.#take(({ line }) => wants(line), what, deadlineMs)).line;
  }

  /** Ends the child's standard input: the polite way to ask it to leave. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** Sends a signal to the child, and to nobody else. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for the end of the child, and kills it when the deadline has passed. */
  async ended(deadlineMs = this.#deadlineMs): Promise<Exit> {
    const late = new AbortController();
    const patience = sleep(deadlineMs, undefined, { signal: late.signal }).catch(() => undefined);
    const exit = await Promise.race([this.exited, patience]);
    late.abort();
    if (exit !== undefined) return exit;
    this.kill("SIGKILL");
    await this.exited;
    throw new Error(`the child did not end within ${deadlineMs} ms`);
  }

  /** Ends the child: end of input first, SIGKILL when that does not help within two seconds. */
  async close(): Promise<Exit> {
    this.endInput();
    const exit = await this.ended(2_000).catch(async () => await this.exited);
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #watchExit(): Promise<Exit> {
    const child = this.#child;
    return new Promise((resolve) => {
      child.once("error", (cause) => {
        this.#settleAll(new Error(`the child could not be started: ${cause.message}`, { cause }));
        resolve({ code: null, signal: null });
      });
      child.once("exit", (code, signal) => {
        resolve({ code, signal });
        const lost = (): void => {
          const how = signal ?? `code ${code ?? "unknown"}`;
          this.#settleAll(
            new Error(`the child ended (${how}); it said: ${this.stderr.slice(-1_000)}`),
          );
        };
        const timer = setTimeout(lost, LAST_WORDS_MS);
        child.once("close", () => {
          clearTimeout(timer);
          lost();
        });
      });
    });
  }

  #readLines(): void {
    // Not readline: it also splits at U+2028, which is an ordinary character inside a JSON string.
    const decoder = new StringDecoder("utf8");
    let pending: string[] = [];
    this.#child.stdout.on("data", (bytes: Buffer) => {
      const parts = decoder.write(bytes).split("\n");
      for (const part of parts.slice(0, -1)) {
        this.#accept([...pending, part].join(""));
        pending = [];
      }
      pending.push(parts.at(-1) ?? "");
    });
  }

  #accept(line: string): void {
    this.lines.push(line);
    const message = parseObject(line);
    const received: Received = message === undefined ? { line } : { line, message };
    for (const waiter of this.#waiters) {
      if (!waiter.wants(received)) continue;
      this.#waiters.delete(waiter);
      waiter.settle(received);
      return;
    }
    this.#unread.push(received);
  }

  #take(wants: Waiter["wants"], what: string, deadlineMs: number): Promise<Received> {
    const index = this.#unread.findIndex(wants);
    const [ready] = index < 0 ? [] : this.#unread.splice(index, 1);
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#gone !== undefined) {
      return Promise.reject(new Error(`no ${what}: ${this.#gone.message}`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const last = this.lines.slice(-5).map((line) => line.slice(0, 200));
        reject(
          new Error(`no ${what} within ${deadlineMs} ms; the last lines were:\n${last.join("\n")}`),
        );
      }, deadlineMs);
      const waiter: Waiter = {
        wants,
        settle: (received) => {
          clearTimeout(timer);
          resolve(received);
        },
        fail: (cause) => {
          clearTimeout(timer);
          reject(new Error(`no ${what}: ${cause.message}`, { cause }));
        },
      };
      this.#waiters.add(waiter);
    });
  }

  #settleAll(cause: Error): void {
    this.#gone ??= cause;
    for (const waiter of this.#waiters) waiter.fail(cause);
    this.#waiters.clear();
  }
}

function parseObject(line: string): JsonObject | undefined {
  try {
    const value = JSON.parse(line) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
