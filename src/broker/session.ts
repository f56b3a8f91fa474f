import type { Socket } from "node:net";
import { notificationFacts } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import {
  MAX_LINE_BYTES,
  type BrokerHelloParams,
  type SessionStatus,
} from "../wire/broker-protocol.ts";
import type { AnswerFrame, NotificationFrame, RequestFrame } from "../wire/frame.ts";
import { LineChannel } from "../wire/line-channel.ts";
import { errorLine, isRecord, toRpcError } from "../wire/messages.ts";
import { decodeClientLine } from "./client-line.ts";
import type { Peer } from "./peer.ts";

/** A client that has left this much unread when more comes is cut off: it must not cost the others memory. */
const MAX_QUEUED_BYTES = 32 * 1024 * 1024;

export interface SessionEvents {
  /** The first message: the session is not open before it was answered. */
  onInitialize(session: Session, frame: RequestFrame): void;
  onRequest(session: Session, frame: RequestFrame): void;
  onNotification(session: Session, frame: NotificationFrame): void;
  onAnswer(session: Session, frame: AnswerFrame): void;
  onEnd(session: Session): void;
}

/** One client's connection: its handshake, what it asked to hear, and its queue. */
export class Session implements Peer {
  readonly id: number;
  readonly #events: SessionEvents;
  readonly #channel: LineChannel;
  readonly #openedAt = monotonicMs();
  #initialized = false;
  #client = "";
  #pid: number | null = null;
  #movesByItself = false;
  #experimentalApi = false;
  #optOut: ReadonlySet<string> = new Set();
  #ended = false;

  constructor(id: number, socket: Socket, events: SessionEvents) {
    this.id = id;
    this.#events = events;
    this.#channel = new LineChannel(
      { readable: socket, writable: socket },
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) => this.#oversized(limit),
        onEnd: (cause) => this.#end(cause),
      },
      MAX_LINE_BYTES,
    );
  }

  get experimentalApi(): boolean {
    return this.#experimentalApi;
  }

  /** Whether it is a client of ours, which goes on with a successor when it is told to. */
  get movesByItself(): boolean {
    return this.#movesByItself;
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
    this.send(frame.text);
  }

  send(line: string): void {
    if (this.#channel.queuedBytes > MAX_QUEUED_BYTES) {
      trace("warn", "session.tooSlow", {
        session: this.id,
        queuedBytes: this.#channel.queuedBytes,
      });
      return this.#channel.destroy();
    }
    this.#channel.send(line);
  }

  /** Sends what is queued, then ends the connection. */
  finish(): void {
    this.#channel.finish();
  }

  destroy(): void {
    this.#channel.destroy();
  }

  #receive(line: Buffer): void {
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
    if (this.#initialized) return this.#events.onRequest(this, frame);
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
    this.#ended = true;
    trace("debug", "session.ended", { session: this.id, cause: cause?.message ?? null });
    this.#channel.destroy();
    this.#events.onEnd(this);
  }
}

function isHelloParams(value: unknown): value is BrokerHelloParams {
  return (
    isRecord(value) && typeof value["nonce"] === "string" && typeof value["protocol"] === "number"
  );
}
