import { BrokerError } from "../base/errors.ts";
import type {
  BrokerHealth,
  BrokerRequests,
  BrokerState,
  BrokerStatus,
  TurnStatusEntry,
  UnqueueParams,
} from "../wire/broker-protocol.ts";
import { isRecord } from "../wire/messages.ts";
import type { Jobs } from "./jobs.ts";
import type { Peer } from "./peer.ts";

/** What the `broker/…` requests need of the broker. */
export interface BrokerFacade {
  /** Resolves when the start has settled. @throws BrokerError why it failed. */
  readonly started: Promise<void>;
  health(): Promise<BrokerHealth>;
  status(): BrokerStatus;
  turns(): TurnStatusEntry[];
  stop(force: boolean): { state: BrokerState; turns: number };
  unqueue(from: Peer, params: UnqueueParams): number;
  readonly jobs: Pick<Jobs, "running" | "start" | "attach" | "cancel">;
}

type Method = keyof BrokerRequests;
type Handlers = {
  [M in Method]: (broker: BrokerFacade, params: unknown, from: Peer) => Result<M>;
};
type Result<M extends Method> = BrokerRequests[M]["result"] | Promise<BrokerRequests[M]["result"]>;

const handlers: Handlers = {
  "broker/health": async (broker) => {
    await broker.started;
    return await broker.health();
  },
  "broker/status": (broker) => broker.status(),
  "broker/turns": (broker) => ({ turns: broker.turns() }),
  "broker/jobs": (broker) => ({ jobs: broker.jobs.running() }),
  "broker/job/start": async (broker, params) => {
    await broker.started;
    return await broker.jobs.start(params);
  },
  "broker/job/attach": (broker, params, from) => broker.jobs.attach(jobIn(params), from),
  "broker/job/cancel": (broker, params) => broker.jobs.cancel(jobIn(params)),
  "broker/stop": (broker, params) => broker.stop(isRecord(params) && params["force"] === true),
  "broker/unqueue": (broker, params, from) => ({
    unqueued: broker.unqueue(from, unqueueParams(params)),
  }),
  "broker/shutdown": () => ({}),
};

export function isRequestOfOurs(method: string): boolean {
  return method.startsWith("broker/");
}

/** @throws BrokerError `invalidRequest` for a method that there is not. */
export async function answerRequestOfOurs(
  broker: BrokerFacade,
  from: Peer,
  { method, params }: { readonly method: string; readonly params: unknown },
): Promise<unknown> {
  if (!Object.hasOwn(handlers, method)) {
    throw new BrokerError(
      "invalidRequest",
      `There is no ${method}; there are ${Object.keys(handlers).join(", ")}.`,
    );
  }
  return await handlers[method as Method](broker, params, from);
}

function unqueueParams(params: unknown): UnqueueParams {
  const { threadId, ticket } = isRecord(params) ? params : {};
  if (typeof threadId !== "string" || (ticket !== undefined && typeof ticket !== "string")) {
    throw new BrokerError("invalidRequest", "broker/unqueue names a threadId, and may a ticket.");
  }
  return ticket === undefined ? { threadId } : { threadId, ticket };
}

function jobIn(params: unknown): string {
  const job = isRecord(params) ? params["job"] : undefined;
  if (typeof job === "string") return job;
  throw new BrokerError("invalidRequest", "A job has to be named.");
}
