import { BrokerError, connectBroker, type BrokerClient, type TurnRun } from "../../src/index.ts";
import { asBrokerError } from "../../src/base/errors.ts";
import { pause } from "../../src/base/deadline.ts";
import { judged, type ClientOfSomeKind, type Order, type Result } from "./orders.ts";

/** A program that uses the library, and connects again when its client has closed. */
export class OurClient implements ClientOfSomeKind {
  readonly #workspace: string;
  #client: Promise<BrokerClient> | undefined;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  async carryOut(order: Order): Promise<Result> {
    const { id } = order;
    try {
      // Who leaves takes nobody's connection along.
      const leaves = order.leaveAfterMs !== undefined;
      const client = await (leaves ? this.#connect() : this.#connected());
      if (order.do === "turn") return { id, ...(await this.#turn(client, order)) };
      await client.request("thread/loaded/list", {});
      return { id, outcome: "completed" };
    } catch (thrown) {
      if (!BrokerError.is(thrown)) return { id, outcome: "unexpected", detail: String(thrown) };
      const { kind, message, details } = asBrokerError(thrown, "usage");
      return { id, outcome: kind, detail: `${message} ${JSON.stringify(details)}` };
    }
  }

  #connected(): Promise<BrokerClient> {
    const known = this.#client;
    if (known !== undefined) return known;
    const client = this.#connect();
    this.#client = client;
    client
      .then(async (open) => await open.closed)
      .catch(() => {})
      .finally(() => this.#forget(client));
    return client;
  }

  #connect(): Promise<BrokerClient> {
    const clientInfo = { name: "chaos: ours", version: "1" };
    return connectBroker({ cwd: this.#workspace, clientInfo });
  }

  #forget(client: Promise<BrokerClient>): void {
    if (this.#client === client) this.#client = undefined;
  }

  async #turn(client: BrokerClient, order: Order): Promise<Omit<Result, "id">> {
    const { prompt = "", threadId, interruptAfterMs, leaveAfterMs } = order;
    const turn = client.runTurn({
      prompt,
      ...(threadId === undefined ? {} : { threadId }),
      onQuestion: () => ({ decision: "accept" }),
    });
    const heard = listen(turn);
    if (interruptAfterMs !== undefined) void pause(interruptAfterMs).then(() => turn.interrupt());
    if (leaveAfterMs !== undefined) {
      void pause(leaveAfterMs).then(() => client.close());
    }
    const { status, message, threadId: thread, error } = await turn.result;
    if (leaveAfterMs !== undefined) client.close();
    if (status !== "completed") {
      return { outcome: status, ...(error === null ? {} : { detail: error.message }) };
    }
    return { ...judged(order, message, await heard), threadId: thread };
  }
}

async function listen(turn: TurnRun): Promise<string> {
  let heard = "";
  let item = "";
  try {
    for await (const event of turn) {
      if (event.type !== "message.delta") continue;
      // The last message of a turn is the one that counts.
      heard = event.itemId === item ? heard + event.delta : event.delta;
      item = event.itemId;
    }
  } catch {
    // The result says it.
  }
  return heard;
}
