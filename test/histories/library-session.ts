import { BrokerError, RpcError, type BrokerClient } from "../../src/index.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { GONE, type Answer, type Session, type SessionEvents } from "./session.ts";

/** A program that uses the library. Its client follows a rotation without its help. */
export class LibrarySession implements Session {
  readonly kind = "library";
  readonly client: BrokerClient;
  readonly closed: Promise<unknown>;
  #isClosed = false;

  constructor(client: BrokerClient, events: SessionEvents) {
    this.client = client;
    this.closed = client.closed.then(() => {
      this.#isClosed = true;
    });
    client.onNotification((method, params) =>
      events.onNotification(method, isRecord(params) ? params : {}),
    );
    client.onQuestion(() => ({ decision: "accept" }));
  }

  async ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    onAnswer: (answer: Answer) => void = () => {},
  ): Promise<Answer> {
    const answer = await this.#ask(method, params);
    onAnswer(answer);
    return answer;
  }

  close(): void {
    this.client.close();
  }

  async #ask(method: string, params: Readonly<Record<string, unknown>>): Promise<Answer> {
    if (this.#isClosed) return GONE;
    try {
      const result = await this.client.request(method, params);
      return { ok: true, result: isRecord(result) ? result : {} };
    } catch (error) {
      return refusalIn(error);
    }
  }

  /** A client in this process cannot crash. */
  kill(): void {
    this.client.close();
  }
}

export function refusalIn(error: unknown): Answer {
  if (error instanceof RpcError) return { ok: false, kind: "codex", message: error.message };
  if (!BrokerError.is(error)) return { ok: false, kind: "unexpected", message: String(error) };
  return { ok: false, kind: error.kind, message: error.message };
}
