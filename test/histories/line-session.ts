import { spawn } from "node:child_process";
import { connect } from "node:net";
import type { Readable, Writable } from "node:stream";
import { deferred } from "../../src/base/deferred.ts";
import { LineSplitter } from "../../src/wire/line-splitter.ts";
import type { Message } from "../broker/raw-session.ts";
import type { ParticipantKind } from "./history.ts";
import { GONE, type Answer, type Session, type SessionEvents } from "./session.ts";

const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** A plain app-server client: one JSON message a line, over a socket or the streams of a proxy. */
export class LineSession implements Session {
  readonly kind: ParticipantKind;
  readonly closed: Promise<unknown>;
  readonly #events: SessionEvents;
  readonly #writable: Writable;
  readonly #end: (kill: boolean) => void;
  readonly #pending = new Map<number, (answer: Answer) => void>();
  #isClosed = false;
  #nextId = 1;

  private constructor(
    kind: ParticipantKind,
    streams: { readonly readable: Readable; readonly writable: Writable },
    closed: Promise<unknown>,
    end: (kill: boolean) => void,
    events: SessionEvents,
  ) {
    this.kind = kind;
    this.#events = events;
    this.#writable = streams.writable;
    this.#end = end;
    const splitter = new LineSplitter(
      { onLine: (line) => this.#receive(line.toString("utf8")), onOversizedLine: () => {} },
      MAX_LINE_BYTES,
    );
    streams.readable.on("data", (chunk: Buffer) => splitter.push(chunk));
    streams.writable.on("error", () => {});
    this.closed = closed.then(() => {
      this.#isClosed = true;
      for (const answered of this.#pending.values()) answered(GONE);
      this.#pending.clear();
    });
  }

  /** Connects to the broker's fixed path. */
  static async raw(path: string, events: SessionEvents): Promise<LineSession> {
    const socket = connect({ path });
    const opened = deferred<void>();
    const closed = deferred<void>();
    socket.once("connect", opened.resolve);
    socket.once("error", opened.reject);
    socket.once("close", () => closed.resolve());
    await opened.promise;
    const streams = { readable: socket, writable: socket };
    const session = new LineSession("raw", streams, closed.promise, () => socket.destroy(), events);
    return await session.#initialized();
  }

  /** Starts `codex-broker proxy`. */
  static async proxy(
    program: string,
    cwd: string,
    env: NodeJS.ProcessEnv,
    events: SessionEvents,
  ): Promise<LineSession> {
    const child = spawn(process.execPath, [program, "proxy"], {
      cwd,
      env,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    const end = (kill: boolean): void => void (kill ? child.kill("SIGKILL") : child.stdin.end());
    const streams = { readable: child.stdout, writable: child.stdin };
    return await new LineSession("proxy", streams, closed, end, events).#initialized();
  }

  async #initialized(): Promise<LineSession> {
    const clientInfo = { name: `histories: ${this.kind}`, title: null, version: "1" };
    const answer = await this.ask("initialize", { clientInfo, capabilities: {} });
    if (!answer.ok) throw new Error(`initialize: ${answer.kind}: ${answer.message}`);
    this.#send({ method: "initialized" });
    return this;
  }

  async ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    onAnswer: (answer: Answer) => void = () => {},
  ): Promise<Answer> {
    if (this.#isClosed) return GONE;
    const id = this.#nextId++;
    const answer = deferred<Answer>();
    this.#pending.set(id, (received) => {
      onAnswer(received);
      answer.resolve(received);
    });
    this.#send({ id, method, params });
    return await answer.promise;
  }

  close(): void {
    this.#end(false);
  }

  kill(): void {
    this.#end(true);
  }

  #send(message: object): void {
    if (!this.#isClosed) this.#writable.write(`${JSON.stringify(message)}\n`);
  }

  #receive(line: string): void {
    const { id, method, params, result, error } = JSON.parse(line) as Message;
    if (method === undefined) {
      const pending = this.#pending.get(Number(id));
      this.#pending.delete(Number(id));
      if (pending === undefined) {
        this.#events.onNotification("answered twice", { id });
      } else if (error === undefined) {
        pending({ ok: true, result: result ?? {} });
      } else {
        const kind = error.data?.["kind"];
        const known = typeof kind === "string" ? kind : "codex";
        pending({ ok: false, kind: known, message: error.message });
      }
    } else if (id !== undefined && id !== null) {
      this.#send({ id, result: { decision: "accept" } });
    } else {
      this.#events.onNotification(method, params ?? {});
      if (method === "broker/draining") this.#events.onDraining();
    }
  }
}
