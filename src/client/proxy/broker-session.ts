import type { Deadline } from "../../base/deadline.ts";
import { ensureBroker, type Ensured } from "../../lifecycle/ensure.ts";
import type { Link } from "../../lifecycle/contact.ts";
import type { ServingRecord } from "../../lifecycle/epoch-file.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import type { Draining } from "../../wire/broker-protocol.ts";
import type { Connection } from "../../wire/connection.ts";
import type { NotificationFrame, RequestFrame } from "../../wire/frame.ts";
import { isRecord } from "../../wire/messages.ts";
import { withNeeded } from "../needed-notifications.ts";
import { OpenWork } from "../open-work.ts";

type Unasked = NotificationFrame | RequestFrame;

export interface SessionOptions {
  readonly scope: Scope;
  readonly appServerArguments?: readonly string[];
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
        capabilities: { ...withNeeded(isRecord(capabilities) ? capabilities : {}) },
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
}
