import type { Socket } from "node:net";
import { notificationFacts } from "../app-server/method-table.ts";
import { BrokerError } from "../base/errors.ts";
import { monotonicMs, startTimer, type Timer } from "../base/deadline.ts";
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
import { UnreadLimit } from "../wire/unread-limit.ts";
import type { Peer } from "./peer.ts";
import type { Unfinished, UnfinishedLines } from "./unfinished-lines.ts";
import { choiceIn } from "./when-busy.ts";

/**
 * Before a connection has said who it is, so much is enough: an `initialize` has some hundred bytes, and
 * its response is the first thing that there is to read.
 */
const HANDSHAKE_BYTES = 256 * 1024;

/** For a client that was cut off to read what it was sent, and why. */
const LAST_WORDS_MS = 5_000;

export type SessionLimits = Pick<
  BrokerCapacity,
  "handshakeTimeoutMs" | "maxLineBytes" | "maxUnreadBytes"
>;

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
export class Session implements Peer, Unfinished {
  readonly id: number;
  readonly #events: SessionEvents;
  readonly #limits: SessionLimits;
  readonly #channel: LineChannel;
  readonly #unfinished: UnfinishedLines;
  readonly #handshake: Timer;
  readonly #openedAt = monotonicMs();
  #initialized = false;
  #client = "";
  #pid: number | null = null;
  #movesByItself = false;
  #whenBusy: Peer["whenBusy"] = "refuse";
  #experimentalApi = false;
  #optOut: ReadonlySet<string> = new Set();
  #ended = false;
  #unread = new UnreadLimit(HANDSHAKE_BYTES);

  constructor(
    id: number,
    socket: Socket,
    events: SessionEvents,
    limits: SessionLimits,
    unfinished: UnfinishedLines,
  ) {
    this.id = id;
    this.#limits = limits;
    this.#events = events;
    this.#unfinished = unfinished;
    this.#channel = new LineChannel(
      { readable: socket, writable: socket },
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) => this.#oversized(limit),
        onUnfinished: (bytes) => unfinished.note(this, bytes),
        onEnd: (cause) => this.#end(cause),
      },
      Math.min(HANDSHAKE_BYTES, limits.maxLineBytes),
    );
    this.#handshake = startTimer(limits.handshakeTimeoutMs, () => this.#sayNothing());
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
    this.#handshake.stop();
    this.#unread = new UnreadLimit(this.#limits.maxUnreadBytes);
    this.#channel.limitLines(this.#limits.maxLineBytes);
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
    if (this.#unread.isExceeded(this.#channel.queuedBytes, line.length)) return this.#tooSlow();
    this.#channel.send(line);
  }

  dropUnfinished(maxBytes: number): void {
    this.#channel.dropUnfinished();
    const message = `All sessions together may have ${maxBytes} bytes of messages on their way.`;
    this.#reject(new BrokerError("frameTooLarge", message, { hint: "Send it again." }));
  }

  #tooSlow(): void {
    const maxUnreadBytes = this.#initialized ? this.#limits.maxUnreadBytes : HANDSHAKE_BYTES;
    const message = `This session has left more than ${maxUnreadBytes} bytes unread.`;
    const details = { session: this.id, maxUnreadBytes };
    this.#cutOff(new BrokerError("clientTooSlow", message, { details }));
  }

  /** It holds a place that others may need, and nobody knows what for. */
  #sayNothing(): void {
    const { handshakeTimeoutMs } = this.#limits;
    const message = `There was no \`initialize\` for ${handshakeTimeoutMs} ms.`;
    this.#cutOff(new BrokerError("notInitialized", message, { details: { handshakeTimeoutMs } }));
  }

  /** It must not cost the others memory. From now on it gets nothing but what it has queued. */
  #cutOff(error: BrokerError): void {
    if (this.#ended) return;
    this.#sendClosing(error);
    this.#channel.close();
    setTimeout(() => this.#channel.destroy(), LAST_WORDS_MS).unref();
    this.#leave(error);
  }

  /** An error that answers no request which can be named. */
  #reject(error: BrokerError): void {
    this.send(errorLine("null", toRpcError(error)));
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
    const message = `A message may have ${limit} bytes; this one has more.`;
    const error = new BrokerError("frameTooLarge", message);
    this.#reject(error);
    if (!this.#initialized) this.#cutOff(error);
  }

  #end(cause: Error | undefined): void {
    if (this.#ended) return;
    trace("debug", "session.ended", { session: this.id, cause: cause?.message ?? null });
    this.#channel.destroy();
    this.#leave(undefined);
  }

  #leave(error: BrokerError | undefined): void {
    this.#ended = true;
    this.#handshake.stop();
    this.#unfinished.note(this, 0);
    this.#events.onEnd(this, error);
  }
}

function isHelloParams(value: unknown): value is BrokerHelloParams {
  return (
    isRecord(value) && typeof value["nonce"] === "string" && typeof value["protocol"] === "number"
  );
}
