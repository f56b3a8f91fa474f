import { expect } from "../expect.ts";
import { time } from "../figures.ts";
import type { Lane } from "../lane.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import { alone, chat, editor, letter, letterWords, reviewer, shell } from "../scripts.ts";
import { commandText } from "../stage/looks.ts";
import type { FirstClient } from "./first-client.ts";
import { perform, type Performance } from "./perform.ts";

export interface FourAtOnce {
  readonly aloneMs: number;
  readonly fourMs: number;
}

export async function fourAtOnce(
  world: PrivateWorld,
  page: Page,
  first: FirstClient,
  stop: AbortSignal,
): Promise<FourAtOnce> {
  page.title(2, "Four clients run turns at the same time, through one app-server");
  page.line("One turn alone first, to compare with:", "dim");
  const solo = await perform([{ client: first.client, part: alone }], page.out, stop);
  expect(solo.lanes[0]?.result?.status === "completed", "the turn alone completes");

  page.line("And now four:", "dim");
  const parts = [editor, shell, reviewer, chat];
  const clients = await Promise.all(parts.map((part) => world.connect(part.client)));
  for (const client of clients) {
    expect(client.instance === first.client.instance, "all four found the same broker");
  }
  const roles = parts.map((part, index) => ({
    client: clients[index]!,
    part,
    ...(part === chat ? { interruptedAt: 0.5 } : {}),
  }));
  const four = await perform(roles, page.out, stop);
  tell(world, page, first, four);
  page.fact(
    "wall time",
    `${time(four.wallMs)} for the four, ${time(solo.wallMs)} for the one alone`,
  );
  return { aloneMs: solo.wallMs, fourMs: four.wallMs };
}

function tell(world: PrivateWorld, page: Page, first: FirstClient, four: Performance): void {
  const lane = (part: { readonly client: string }): Lane | undefined =>
    four.lanes.find(({ client }) => client === part.client);
  const { maxInFlight } = world.model.requests;
  const thought = lane(reviewer)?.thoughtFirst ?? 0;
  const command = lane(shell)?.command;
  for (const part of [editor, shell, reviewer]) {
    expect(lane(part)?.result?.status === "completed", `the turn of ${part.client} completes`);
  }
  expect(lane(chat)?.result?.status === "interrupted", "the turn of chat is interrupted");
  expect(command?.exitCode === 0, "the command ran and exited with 0");
  expect(command.output.includes(String(letterWords)), `${letter.name} was counted`);
  expect(four.interruptMs !== undefined, "the interrupt was measured");
  expect(thought > 0, "the reviewer's thoughts were heard");
  expect(maxInFlight === 4, "the model had four requests at once");

  page.blank();
  page.fact(
    "command",
    `${commandText(command)} · ${world.sandboxed ? "in Codex's sandbox" : "no sandbox works on this machine"}`,
  );
  page.fact("reasoning", `${thought} words were thought before the first one was said`);
  page.fact(
    "interrupt",
    `confirmed ${time(four.interruptMs)} after the user asked; the others went on`,
  );
  page.fact(
    "in flight",
    `${maxInFlight} requests at the model at once, all from app-server ${first.status.appServer.pid ?? "unknown"}`,
  );
}
