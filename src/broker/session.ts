import type { Socket } from "node:net";
import { notificationFacts } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import type { BrokerCapacity } from "../lifecycle/start-protocol.ts";
import {
  type BrokerHelloParams,
  type BrokerRequests,
  type SessionStatus,
} from "../wire/broker-protocol.ts";
import type { AnswerFrame, NotificationFrame, RequestFrame } from "../wire/frame.ts";
import type { Line } from "../wire/line.ts";
import { LineChannel } from "../wire/line-channel.ts";
import { errorLine, isRecord, notificationLine, toRpcError } from "../wire/messages.ts";
import { decodeClientLine } from "../wire/client-line.ts";
import type { Peer } from "./peer.ts";
import { choiceIn } from "./when-busy.ts";

/** For a client that was cut off to read what it was sent, and why. */
const LAST_WORDS_MS = 5_000;

export type SessionLimits = Pick<BrokerCapacity, "maxLineBytes" | "maxUnreadBytes">;

/** The published plugin says this, and nothing else, on a connection of its own. */
const SAID_BY_STRANGERS: keyof BrokerRequests = "broker/shutdown";

export interface SessionEvents {
  /** The first message: the session is not open before it was answered. */
  onInitialize(session: Session, frame: RequestFrame): void;
  onRequest(session: Session, frame: RequestFrame): void;
  onNotification(session: Session, frame: NotificationFrame): void;
  onAnswer(session: Session, frame: AnswerFrame): void;
  /** `error` is why the broker ended it, if it was the broker. */
  onEnd(session: Session, error: BrokerError | undefined): void;
}

/** One client's connection: its handshake, what it asked to hear, and its queue. */
export class Session implements Peer {
  readonly id: number;
  readonly #events: SessionEvents;
  readonly #limits: SessionLimits;
  readonly #channel: LineChannel;
  readonly #openedAt = monotonicMs();
  #initialized = false;
  #client = "";
  #pid: number | null = null;
  #movesByItself = false;
  #whenBusy: Peer["whenBusy"] = "refuse";
  #experimentalApi = false;
  #optOut: ReadonlySet<string> = new Set();
  #ended = false;
  /** The longest line since everything had been read. */
  #biggest = 0;

  constructor(id: number, socket: Socket, events: SessionEvents, limits: SessionLimits) {
    this.id = id;
    this.#limits = limits;
    this.#events = events;
    this.#channel = new LineChannel(
      { readable: socket, writable: socket },
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) => this.#oversized(limit),
        onEnd: (cause) => this.#end(cause),
      },
      limits.maxLineBytes,
    );
  }

  get experimentalApi(): boolean {
    return this.#experimentalApi;
  }

  /** Whether it is a client of ours, which goes on with a successor when it is told to. */
  get movesByItself(): boolean {
    return this.#movesByItself;
  }

  get whenBusy(): Peer["whenBusy"] {
    return this.#whenBusy;
  }

  /** Takes down what the client said of itself. @returns what a client of ours added, if it is one. */
  introduce(params: unknown): BrokerHelloParams | undefined {
    this.#initialized = true;
    if (!isRecord(params)) return undefined;
    const { clientInfo, capabilities, broker } = params;
    if (isRecord(clientInfo)) {
      this.#client = `${String(clientInfo["name"])} ${String(clientInfo["version"])}`;
    }
    if (isRecord(capabilities)) {
      this.#experimentalApi = capabilities["experimentalApi"] === true;
      const optOut = capabilities["optOutNotificationMethods"];
      if (Array.isArray(optOut)) this.#optOut = new Set(optOut.map(String));
    }
    if (!isHelloParams(broker)) return undefined;
    this.#pid = broker.pid ?? null;
    this.#whenBusy = choiceIn(broker.whenBusy);
    this.#movesByItself = true;
    return broker;
  }

  status(threads: number): SessionStatus {
    const ageMs = Math.round(monotonicMs() - this.#openedAt);
    return { id: this.id, client: this.#client, pid: this.#pid, ageMs, threads };
  }

  deliver(frame: NotificationFrame): void {
    if (this.#optOut.has(frame.method)) return;
    if (!this.#experimentalApi && notificationFacts(frame.method)?.stable === false) return;
    this.send(frame.line);
  }

  send(line: Line): void {
    if (this.#ended) return;
    const unread = this.#channel.queuedBytes;
    // One big message alone makes nobody slow.
    this.#biggest = Math.max(unread === 0 ? 0 : this.#biggest, line.length);
    if (unread > this.#limits.maxUnreadBytes + this.#biggest) return this.#cutOff();
    this.#channel.send(line);
  }

  /** It must not cost the others memory. From now on it gets nothing but what it has queued. */
  #cutOff(): void {
    const { maxUnreadBytes } = this.#limits;
    const error = new BrokerError(
      "clientTooSlow",
      `This session has left more than ${maxUnreadBytes} bytes unread.`,
      { details: { session: this.id, maxUnreadBytes } },
    );
    this.#sendClosing(error);
    this.#channel.close();
    setTimeout(() => this.#channel.destroy(), LAST_WORDS_MS).unref();
    this.#leave(error);
  }

  /**
   * Announces the end of the connection. A client of ours ends it when it reads that, and so nothing
   * that it sent before is lost: until then it is answered.
   */
  finish(error: BrokerError): void {
    if (!this.#movesByItself) return this.#channel.close();
    this.#sendClosing(error);
  }

  #sendClosing(error: BrokerError): void {
    this.#channel.send(notificationLine("broker/closing", { error: error.toJSON() }));
  }

  destroy(): void {
    this.#channel.destroy();
  }

  #receive(line: Buffer): void {
    // What a session that was cut off still asks is nobody's any more.
    if (this.#ended) return;
    const frame = decodeClientLine(line);
    switch (frame.kind) {
      case "fault":
        return this.send(errorLine(frame.id ?? "null", toRpcError(frame.error)));
      case "request":
        return this.#request(frame);
      case "notification":
        return this.#initialized ? this.#events.onNotification(this, frame) : undefined;
      case "answer":
        return this.#initialized ? this.#events.onAnswer(this, frame) : undefined;
    }
  }

  #request(frame: RequestFrame): void {
    if (frame.method === "initialize") {
      if (!this.#initialized) return this.#events.onInitialize(this, frame);
      const error = new BrokerError("invalidRequest", "Already initialized");
      return this.send(errorLine(frame.id, toRpcError(error)));
    }
    if (this.#initialized || frame.method === SAID_BY_STRANGERS) {
      return this.#events.onRequest(this, frame);
    }
    this.send(
      errorLine(frame.id, toRpcError(new BrokerError("notInitialized", "Not initialized"))),
    );
  }

  #oversized(limit: number): void {
    const error = new BrokerError(
      "frameTooLarge",
      `A message may have ${limit} bytes; this one has more.`,
    );
    this.send(errorLine("null", toRpcError(error)));
  }

  #end(cause: Error | undefined): void {
    if (this.#ended) return;
    trace("debug", "session.ended", { session: this.id, cause: cause?.message ?? null });
    this.#channel.destroy();
    this.#leave(undefined);
  }

  #leave(error: BrokerError | undefined): void {
    this.#ended = true;
    this.#events.onEnd(this, error);
  }
}

function isHelloParams(value: unknown): value is BrokerHelloParams {
  return (
    isRecord(value) && typeof value["nonce"] === "string" && typeof value["protocol"] === "number"
  );
}
