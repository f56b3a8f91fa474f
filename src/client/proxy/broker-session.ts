import type { Deadline } from "../../base/deadline.ts";
import { ensureBroker, type Ensured } from "../../lifecycle/ensure.ts";
import type { Link } from "../../lifecycle/contact.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import type { Draining, TurnLost } from "../../wire/broker-protocol.ts";
import type { Connection } from "../../wire/connection.ts";
import type { NotificationFrame, RequestFrame } from "../../wire/frame.ts";
import { isRecord } from "../../wire/messages.ts";
import { OpenWork } from "../open-work.ts";

type Unasked = NotificationFrame | RequestFrame;

export interface SessionOptions {
  readonly scope: Scope;
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
  readonly limits?: Partial<BrokerLimits>;
  readonly env?: NodeJS.ProcessEnv;
  /** As the program introduced itself. */
  readonly initializeParams: Readonly<Record<string, unknown>>;
}

/** What was heard on one connection while it was being opened. */
class Hearing {
  readonly work = new OpenWork();
  readonly early: Unasked[] = [];
  take: ((frame: Unasked) => void) | undefined;

  hear(frame: Unasked): void {
    if (this.take === undefined) this.early.push(frame);
    else this.take(frame);
  }
}

/** One of the proxy's connections: what is known of its broker, and of the turns that run there. */
export class BrokerSession implements Ensured {
  readonly record: ServingRecord;
  readonly link: Link;
  readonly started: boolean;
  readonly work: OpenWork;
  /** The running turns, by thread. */
  readonly turns = new Map<string, string>();
  /** Why turns were lost, by thread, as far as the broker had time to say. */
  readonly losses = new Map<string, string>();
  /** Set once the broker takes no new work any more. */
  draining: Draining | undefined;
  readonly #hearing: Hearing;

  private constructor(ensured: Ensured, hearing: Hearing) {
    this.record = ensured.record;
    this.link = ensured.link;
    this.started = ensured.started;
    this.work = hearing.work;
    this.#hearing = hearing;
  }

  static async open(options: SessionOptions): Promise<BrokerSession> {
    const { clientInfo, capabilities } = options.initializeParams;
    let hearing = new Hearing();
    const ensured = await ensureBroker({
      ...options,
      introduction: {
        clientInfo: clientInfo as { name: string; title: string | null; version: string },
        capabilities: isRecord(capabilities) ? capabilities : {},
        // What the program would get from an app-server of its own.
        whenBusy: "steer",
        // More than one may be tried; what the others said is not said of the one that is kept.
        handlers: () => {
          const own = new Hearing();
          hearing = own;
          return {
            onFrame: (frame) => own.hear(frame),
            onBusy: (busy) => own.work.awaitsAnswers(busy),
          };
        },
      },
    });
    return new BrokerSession(ensured, hearing);
  }

  get connection(): Connection {
    return this.link.connection;
  }

  /** From now on everything that comes goes there. @returns what has come already. */
  deliverTo(take: (frame: Unasked) => void): readonly Unasked[] {
    this.#hearing.take = take;
    return this.#hearing.early.splice(0);
  }

  runsTurnOf(threadId: string): boolean {
    return this.connection.endCause === undefined && this.work.runsTurnOf(threadId);
  }

  /** What the notification says of turns and of the broker itself. */
  note({ method, params }: NotificationFrame): void {
    this.work.heard(method, params);
    if (method === "broker/draining") this.draining = params as Draining;
    if (method === "broker/turnLost") {
      const { threadId, error } = params as TurnLost;
      this.losses.set(threadId, error.message);
    }
    if (!isRecord(params) || typeof params["threadId"] !== "string") return;
    if (method === "turn/started") this.noteTurn(params["threadId"], params);
    if (method === "turn/completed") this.turns.delete(params["threadId"]);
  }

  /** @param said The `turn/started`, or the answer to the request that began the turn. */
  noteTurn(threadId: string, said: unknown): void {
    const turn = isRecord(said) ? said["turn"] : undefined;
    if (isRecord(turn) && typeof turn["id"] === "string") this.turns.set(threadId, turn["id"]);
  }
}
