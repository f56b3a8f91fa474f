import { fileURLToPath } from "node:url";
import { monotonicMs } from "../../src/base/deadline.ts";
import { counted } from "../../src/cli/output/amounts.ts";
import type { BrokerStatus } from "../../src/index.ts";
import { runNode } from "../../test/support/node-process.ts";
import { expect } from "../expect.ts";
import { median } from "../figures.ts";
import type { Page } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import type { FirstClient } from "./first-client.ts";

const IN_PROCESS_ROUNDS = 9;
const PROCESS_ROUNDS = 3;

export interface FoundWarm {
  readonly inProcessMs: number;
  readonly wholeProcessMs: number;
}

/** The demo runs from `build`, beside `dist`. */
export const cliProgram = fileURLToPath(new URL("../dist/cli.cjs", import.meta.url));

export async function foundWarm(
  world: PrivateWorld,
  page: Page,
  first: FirstClient,
  stop: AbortSignal,
): Promise<FoundWarm> {
  page.title(3, "Whoever comes next finds the broker warm");
  const inProcessMs = await medianOf(IN_PROCESS_ROUNDS, stop, async () => {
    const client = await world.connect("next");
    expect(client.instance === first.client.instance, "the next client finds the same broker");
    client.close();
  });
  page.step(inProcessMs, "to connect, in a program that runs (median of 9)");

  let seen: BrokerStatus | undefined;
  const wholeProcessMs = await medianOf(PROCESS_ROUNDS, stop, async () => {
    seen = await askInNewProcess(world);
    expect(seen.instance === first.client.instance, "the new process finds the same broker");
  });
  page.step(wholeProcessMs, "for a whole new process, `codex-broker status` (median of 3)");
  expect(seen !== undefined, "the new process has answered");
  page.fact(
    "it saw",
    `broker ${seen.pid}, still epoch ${seen.epoch}, with ${counted(seen.sessions.length, "session")}`,
  );
  return { inProcessMs, wholeProcessMs };
}

async function medianOf(
  rounds: number,
  stop: AbortSignal,
  round: () => Promise<void>,
): Promise<number> {
  const times: number[] = [];
  while (times.length < rounds) {
    stop.throwIfAborted();
    const begunAt = monotonicMs();
    await round();
    times.push(monotonicMs() - begunAt);
  }
  return median(times);
}

async function askInNewProcess(world: PrivateWorld): Promise<BrokerStatus> {
  const args = [cliProgram, "status", "--json"];
  const { code, stdout, stderr } = await runNode(args, world.env, world.workspace);
  expect(code === 0, `\`codex-broker status\` succeeds, but it said: ${stderr}`);
  return JSON.parse(stdout) as BrokerStatus;
}
