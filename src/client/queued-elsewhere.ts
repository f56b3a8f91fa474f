import { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import { deferred, type Deferred } from "../base/deferred.ts";
import type { WhenBusy } from "../wire/broker-protocol.ts";
import { isRecord } from "../wire/messages.ts";
import { threadIn, type ThreadBook, type ThreadHome } from "./thread-book.ts";

/** The broker's own default. */
const DEFAULT_WAIT_MS = 30 * 60_000;

interface Waiting {
  readonly threadId: string;
  readonly ticket: string | undefined;
  readonly withdrawn: Deferred<never>;
}

/** The requests of a client that wait while the turn of their thread runs in a broker that is replaced. */
export class QueuedElsewhere {
  readonly #waiting = new Set<Waiting>();

  /**
   * Brings the thread of a request to this connection, for as long as the request would wait for it.
   *
   * @returns the parameters, with what is left of the time.
   * @throws BrokerError `threadBusy`, or `turnInterrupted` when the request was withdrawn.
   */
  async bring<H extends ThreadHome>(
    threads: ThreadBook<H>,
    to: H,
    params: unknown,
  ): Promise<unknown> {
    const threadId = threadIn(params);
    if (threadId === undefined) return params;
    const wish = queueWishIn(params);
    if (wish === undefined) {
      await threads.bring(threadId, to);
      return params;
    }
    const { deadlineMs = DEFAULT_WAIT_MS, ticket } = wish;
    const deadline = Deadline.after(deadlineMs);
    const waiting = { threadId, ticket, withdrawn: deferred<never>() };
    this.#waiting.add(waiting);
    try {
      const brought = threads.bring(threadId, to, { whenBusy: "queue", deadlineMs });
      const settled = Promise.race([brought, waiting.withdrawn.promise]);
      await deadline.race(settled, () => tooLate(threadId, deadlineMs));
    } finally {
      this.#waiting.delete(waiting);
    }
    const broker = { ...wish, deadlineMs: Math.round(deadline.remainingMs) };
    return { ...(params as object), broker };
  }

  /** `broker/unqueue`. @returns how many were taken out. */
  withdraw(params: unknown): number {
    const { threadId, ticket } = isRecord(params) ? params : {};
    const meant = [...this.#waiting].filter(
      (each) => each.threadId === threadId && (ticket === undefined || each.ticket === ticket),
    );
    for (const { withdrawn } of meant) {
      withdrawn.reject(
        new BrokerError("turnInterrupted", "The turn was taken out of the queue.", {
          details: { threadId },
          hint: "Nothing of it has begun; send it again when it is wanted.",
        }),
      );
    }
    return meant.length;
  }
}

/** As the broker itself says it. */
function tooLate(threadId: string, waitMs: number): BrokerError {
  const message = `Thread ${threadId} was still busy after ${waitMs} ms.`;
  return new BrokerError("timedOut", message, {
    details: { threadId, waitedMs: waitMs },
    hint: "Wait longer with `deadlineMs`, or end the running turn with `turn/interrupt`.",
  });
}

/** What the parameters of a request say of waiting for a busy thread; undefined for a refusal. */
export function queueWishIn(params: unknown): WhenBusy | undefined {
  const broker = isRecord(params) ? params["broker"] : undefined;
  if (!isRecord(broker) || broker["whenBusy"] !== "queue") return undefined;
  const { deadlineMs, ticket } = broker;
  return {
    whenBusy: "queue",
    ...(typeof deadlineMs === "number" ? { deadlineMs } : {}),
    ...(typeof ticket === "string" ? { ticket } : {}),
  };
}
