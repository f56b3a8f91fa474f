import { BrokerError } from "../base/errors.ts";
import type {
  BrokerHealth,
  BrokerRequests,
  BrokerState,
  BrokerStatus,
  TurnStatusEntry,
} from "../wire/broker-protocol.ts";
import { isRecord } from "../wire/messages.ts";

/** What the `broker/…` requests need of the broker. */
export interface BrokerFacade {
  /** Resolves when the start has settled. @throws BrokerError why it failed. */
  readonly started: Promise<void>;
  health(): Promise<BrokerHealth>;
  status(): BrokerStatus;
  turns(): TurnStatusEntry[];
  stop(force: boolean): { state: BrokerState; turns: number };
}

type Method = keyof BrokerRequests;
type Handlers = { [M in Method]: (broker: BrokerFacade, params: unknown) => Result<M> };
type Result<M extends Method> = BrokerRequests[M]["result"] | Promise<BrokerRequests[M]["result"]>;

const handlers: Handlers = {
  "broker/health": async (broker) => {
    await broker.started;
    return await broker.health();
  },
  "broker/status": (broker) => broker.status(),
  "broker/turns": (broker) => ({ turns: broker.turns() }),
  "broker/stop": (broker, params) => broker.stop(isRecord(params) && params["force"] === true),
  "broker/shutdown": () => ({}),
};

export function isRequestOfOurs(method: string): boolean {
  return method.startsWith("broker/");
}

/** @throws BrokerError `invalidRequest` for a method that there is not. */
export async function answerRequestOfOurs(
  broker: BrokerFacade,
  method: string,
  params: unknown,
): Promise<unknown> {
  if (!Object.hasOwn(handlers, method)) {
    throw new BrokerError(
      "invalidRequest",
      `There is no ${method}; there are ${Object.keys(handlers).join(", ")}.`,
    );
  }
  return await handlers[method as Method](broker, params);
}
