import { BrokerError } from "../../base/errors.ts";
import { MAX_LINE_BYTES } from "../../wire/broker-protocol.ts";
import { decodeClientLine } from "../../wire/client-line.ts";
import type { Frame, RequestFrame } from "../../wire/frame.ts";
import type { Line } from "../../wire/line.ts";
import { LineChannel, type Streams } from "../../wire/line-channel.ts";
import { UnreadLimit } from "../../wire/unread-limit.ts";
import {
  errorLine,
  isRecord,
  notificationLine,
  resultLine,
  toRpcError,
} from "../../wire/messages.ts";

/** A program that has left this much unread when more comes, besides its longest message, is given up. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

export interface StdioProgramEvents {
  onFrame(frame: Frame): void;
  /** It has ended its input, or reads no more. */
  onEnd(): void;
  /** All that was queued for it has left, or never will. */
  onClosed(): void;
  /** Called when it does not read what it is told; it is told nothing any more. */
  onGivenUp(why: BrokerError): void;
}

/** The program at the other end of stdio, which takes the proxy for its own app-server. */
export class StdioProgram {
  readonly #events: StdioProgramEvents;
  readonly #channel: LineChannel;
  readonly #unread = new UnreadLimit(MAX_QUEUED_BYTES);
  #introduction: RequestFrame | undefined;

  constructor(streams: Streams, events: StdioProgramEvents) {
    this.#events = events;
    streams.writable.once("close", () => events.onClosed());
    this.#channel = new LineChannel(
      streams,
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) => {
          const message = `A message may have ${limit} bytes; this one has more.`;
          this.refuse("null", new BrokerError("frameTooLarge", message));
        },
        onEnd: () => events.onEnd(),
      },
      MAX_LINE_BYTES,
    );
  }

  /** Its `initialize`, once it has come. */
  get introduction(): RequestFrame | undefined {
    return this.#introduction;
  }

  introduce(frame: RequestFrame): void {
    this.#introduction = frame;
  }

  /** As it introduced itself. */
  get initializeParams(): Readonly<Record<string, unknown>> {
    const params = this.#introduction?.params;
    return isRecord(params) ? params : {};
  }

  /** The answer to its `initialize`. */
  welcome(result: unknown): void {
    if (this.#introduction !== undefined) this.send(resultLine(this.#introduction.id, result));
  }

  /** A notification of the proxy's own making, unless the program does not want such. */
  tell(method: string, params: unknown): void {
    const { capabilities } = this.initializeParams;
    const optOut = isRecord(capabilities) ? capabilities["optOutNotificationMethods"] : undefined;
    if (Array.isArray(optOut) && optOut.includes(method)) return;
    this.send(notificationLine(method, params));
  }

  refuse(id: string, error: BrokerError): void {
    this.send(errorLine(id, toRpcError(error)));
  }

  send(line: Line): void {
    if (!this.#unread.isExceeded(this.#channel.queuedBytes, line.length)) {
      return this.#channel.send(line);
    }
    const message = `The program has left more than ${MAX_QUEUED_BYTES} bytes unread.`;
    this.#events.onGivenUp(new BrokerError("connectionClosed", message, { hint: "" }));
    this.#channel.destroy();
  }

  close(): void {
    this.#channel.close();
  }

  #receive(bytes: Buffer): void {
    const frame = decodeClientLine(bytes);
    if (frame.kind === "fault") this.refuse(frame.id ?? "null", frame.error);
    else this.#events.onFrame(frame);
  }
}
