import { monotonicMs } from "../../src/base/deadline.ts";
import { eventually } from "../../test/support/eventually.ts";
import { expect } from "../expect.ts";
import { wordsIn } from "../figures.ts";
import { processesOf } from "../left-behind.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import { patient } from "../scripts.ts";
import type { FirstClient } from "./first-client.ts";

/** In the middle of a turn. @returns milliseconds until the successor has served its first request. */
export async function replaced(
  world: PrivateWorld,
  page: Page,
  { client, status }: FirstClient,
  stop: AbortSignal,
): Promise<number> {
  page.title(4, "The broker is replaced in the middle of a turn, and nothing is cut");
  const begunAt = monotonicMs();
  const step = (text: string): void => page.step(monotonicMs() - begunAt, text);
  const turn = client.runTurn({ prompt: patient.prompt, signal: stop });
  const words = await wordsHeard(turn, patient.words / 4);
  step(`a turn runs in epoch ${status.epoch} and has said ${words} of its ${patient.words} words`);

  const askedAt = monotonicMs();
  const successor = await world.connect("operator", { replace: true });
  await successor.request("thread/loaded/list", {});
  const servedMs = monotonicMs() - askedAt;
  step(`\`rotate\`: epoch ${successor.epoch} serves; whatever is new begins there`);
  const { message } = await successor.runTurn({ prompt: "say: hello from the new one" }).result;
  step(`a turn beside it, in epoch ${successor.epoch}: ${JSON.stringify(message)}`);

  const old = await turn.result;
  expect(old.status === "completed", "the turn in the older broker completes");
  expect(wordsIn(old.message) === patient.words, "every word of it has come");
  step(`the turn in epoch ${status.epoch} completes, all ${patient.words} words of it`);
  expect(client.epoch === successor.epoch, "the first client has moved on by itself");
  await eventually(async () => {
    const processes = await processesOf(world);
    return processes?.every(({ pid }) => pid !== status.pid) ?? true;
  }, "the older broker ends");
  step(`broker ${status.pid} has ended by itself, and its app-server with it`);
  return servedMs;
}

/** @returns how many have come by then. */
async function wordsHeard(
  turn: AsyncIterable<{ readonly type: string; readonly delta?: string }>,
  enough: number,
): Promise<number> {
  let words = 0;
  for await (const event of turn) {
    if (event.type === "message.delta") words += wordsIn(event.delta ?? "");
    if (words >= enough) break;
  }
  return words;
}
