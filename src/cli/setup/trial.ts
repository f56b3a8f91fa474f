import { monotonicMs } from "../../base/deadline.ts";
import { messageOf } from "../../base/errors.ts";
import { connectBroker, type ConnectOptions } from "../../client/connect.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { failureOf, type Failure } from "../output/failure.ts";
import { askLogin, type Login } from "../run/login.ts";
import { trySandbox, type SandboxTrial } from "../run/sandbox.ts";

/** What came of really asking: a broker is found or started, and its app-server answers for itself. */
export type Trial =
  | { readonly state: "notTried" }
  | { readonly state: "noBroker"; readonly failure: Failure }
  | {
      readonly state: "asked";
      readonly epoch: number;
      readonly started: boolean;
      readonly tookMs: number;
      readonly login: Login | { readonly state: "failed"; readonly failure: Failure };
      /** As Codex is configured, and as reviews want it. */
      readonly sandbox: SandboxTrial;
      readonly readOnly: SandboxTrial;
    };

/** Bounded by the time for a start and five seconds. Never throws. */
export async function tryToDelegate(options: ConnectOptions): Promise<Trial> {
  const began = monotonicMs();
  let client: BrokerClient;
  try {
    client = await connectBroker(options);
  } catch (error) {
    return { state: "noBroker", failure: failureOf(error) };
  }
  try {
    const tookMs = Math.round(monotonicMs() - began);
    const [login, sandbox, readOnly] = await Promise.all([
      askLogin(client).catch((error: unknown) => ({
        state: "failed" as const,
        failure: failureOf(error),
      })),
      trySandbox(client).catch(failed),
      trySandbox(client, "read-only").catch(failed),
    ]);
    const { epoch, started } = client;
    return { state: "asked", epoch, started, tookMs, login, sandbox, readOnly };
  } finally {
    client.close();
  }
}

function failed(error: unknown): SandboxTrial {
  return { state: "fails", why: messageOf(error).replace(/\.$/, "") };
}
