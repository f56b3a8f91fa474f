import { monotonicMs } from "../../src/base/deadline.ts";
import { onTrace, type BrokerClient, type BrokerStatus } from "../../src/index.ts";
import { expect } from "../expect.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";

export interface FirstClient {
  readonly client: BrokerClient;
  readonly status: BrokerStatus;
  readonly coldStartMs: number;
}

export async function firstClient(world: PrivateWorld, page: Page): Promise<FirstClient> {
  page.title(1, "There is no broker, so the first client that comes starts one");
  const begunAt = monotonicMs();
  const step = (text: string): void => page.step(monotonicMs() - begunAt, text);
  const silence = onTrace((event) => {
    if (event.event === "ensure.superseding") step(`no broker found: epoch 1 is claimed`);
    if (event.event === "ensure.verdict" && event["step"] === "use") step("a new broker listens");
  });
  const client = await world.connect("demo").finally(silence);
  step("its app-server is up");
  // A question that goes all the way through to the app-server and back.
  await client.request("thread/loaded/list", {});
  const coldStartMs = monotonicMs() - begunAt;
  step("the client's first request is answered");

  expect(client.started, "this client started the broker");
  const status = await client.status();
  const { epoch, pid, appServer } = status;
  const version = appServer.version ?? "unknown";
  page.fact(
    "running",
    `broker ${pid} · app-server ${appServer.pid ?? "unknown"} · epoch ${epoch} · codex ${version}`,
  );
  return { client, status, coldStartMs };
}
