// A program that uses the library: does what it is told on its stdin, and tells what came of it.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { connectBroker, type BrokerClient, type ConnectOptions } from "../../src/index.ts";
import { asBrokerError, BrokerError } from "../../src/base/errors.ts";
import { RpcError } from "../../src/wire/messages.ts";
import type { Order, Settled, Told } from "./client-orders.ts";
import { installFailPoint } from "./fail-point.ts";
import { BYSTANDER_VARIABLE } from "./plan.ts";

installFailPoint("client");
const [cwd = "."] = process.argv.slice(2);
let connected: Promise<BrokerClient> | undefined;

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

/** As any program that goes on working would: a lost connection is replaced by the next call. */
function client(options: ConnectOptions = {}): Promise<BrokerClient> {
  connected ??= connectBroker({ cwd, ...options }).then(
    (opened) => {
      void opened.closed.then(() => (connected = undefined));
      return opened;
    },
    (error: unknown) => {
      connected = undefined;
      throw error;
    },
  );
  return connected;
}

async function obey(order: Order): Promise<Settled> {
  switch (order.do) {
    case "connect": {
      const { epoch } = await client(order.options);
      return { kind: "answered", status: "connected", text: "", epoch };
    }
    case "turn":
      return await runTurn(order, true);
    case "request": {
      const opened = await client();
      const answer = await opened.request(order.method, order.params);
      return {
        kind: "answered",
        status: "answered",
        text: JSON.stringify(answer),
        epoch: opened.epoch,
      };
    }
    case "bystander": {
      const env = { ...process.env, [BYSTANDER_VARIABLE]: "1" };
      const child = spawn(process.execPath, order.args, {
        detached: true,
        cwd: "/",
        env,
        stdio: "ignore",
      });
      child.unref();
      return { kind: "answered", status: "started", text: String(child.pid), epoch: 0 };
    }
  }
}

/**
 * As any program that goes on working would: where the connection was lost before anything had begun,
 * as in the instant in which an app-server dies, it does what the error says and connects again.
 */
async function runTurn(
  order: Extract<Order, { do: "turn" }>,
  mayTryAgain: boolean,
): Promise<Settled> {
  const opened = await client();
  const turn = opened.runTurn({ prompt: order.prompt });
  try {
    for await (const event of turn) {
      if (event.type !== "message.delta") continue;
      tell({ id: order.id, begun: true });
      break;
    }
    const { status, message } = await turn.result;
    return { kind: "answered", status, text: message, epoch: opened.epoch };
  } catch (error) {
    turn.result.catch(() => {});
    const nothingBegan = turn.threadId === undefined && BrokerError.is(error) && error.retryable;
    if (!mayTryAgain || !nothingBegan) throw error;
    await opened.closed;
    return await runTurn(order, false);
  }
}

function failed(error: unknown): Settled {
  if (BrokerError.is(error)) return { kind: "failed", error: error.kind, message: error.message };
  if (error instanceof RpcError) return { kind: "failed", error: "rpc", message: error.message };
  return { kind: "untyped", message: asBrokerError(error, "usage").message };
}

tell({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  obey(order)
    .catch(failed)
    .then((settled) => tell({ id: order.id, settled }))
    .catch(() => process.exit(70));
}
process.exit();
