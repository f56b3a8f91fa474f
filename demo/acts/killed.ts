import { monotonicMs } from "../../src/base/deadline.ts";
import { asBrokerError } from "../../src/base/errors.ts";
import type { BrokerStatus } from "../../src/index.ts";
import { eventually } from "../../test/support/eventually.ts";
import { expect } from "../expect.ts";
import { processesOf } from "../left-behind.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import { patient } from "../scripts.ts";

export interface Killed {
  readonly servedMs: number;
  /** Of the broker that has come after. */
  readonly status: BrokerStatus;
}

export async function killed(world: PrivateWorld, page: Page, stop: AbortSignal): Promise<Killed> {
  page.title(5, "The broker is killed in the middle of a turn, and nobody has to clean up");
  const client = await world.connect("unlucky");
  const { pid, epoch, appServer } = await client.status();
  const turn = client.runTurn({ prompt: patient.prompt, signal: stop });
  for await (const event of turn) if (event.type === "message.delta") break;

  const begunAt = monotonicMs();
  const step = (text: string): void => page.step(monotonicMs() - begunAt, text);
  process.kill(pid, "SIGKILL");
  step(`kill -9 ${pid}: epoch ${epoch} is gone without a word`);
  const lost = await turn.result.then(
    () => undefined,
    (error: unknown) => asBrokerError(error, "turnLost"),
  );
  expect(lost?.kind === "turnLost", "the turn is reported lost");
  step(`its client is told: ${lost.message}`);
  page.line(`           → ${lost.hint}`, "dim");

  const next = await world.connect("next");
  await next.request("thread/loaded/list", {});
  const servedMs = monotonicMs() - begunAt;
  const status = await next.status();
  step(`the next client is served: broker ${status.pid}, epoch ${status.epoch}`);
  await eventually(async () => {
    const processes = await processesOf(world);
    return processes?.every((one) => one.pid !== appServer.pid) ?? true;
  }, "the app-server of the killed broker ends");
  step(`app-server ${appServer.pid ?? "unknown"}, which the killed one has left, has ended too`);
  return { servedMs, status };
}
