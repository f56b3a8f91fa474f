import { monotonicMs } from "../../src/base/deadline.ts";
import type { Output } from "../../src/cli/output/output.ts";
import type { BrokerClient } from "../../src/index.ts";
import { Lane } from "../lane.ts";
import type { Part } from "../scripts.ts";
import { openStage } from "../stage/open-stage.ts";
import type { Stage } from "../stage/stage.ts";

export interface Role {
  readonly client: BrokerClient;
  readonly part: Part;
  /** Share of the words after which the user interrupts the turn. */
  readonly interruptedAt?: number;
}

export interface Performance {
  readonly lanes: readonly Lane[];
  readonly wallMs: number;
  /** From the wish of the user to the end of the turn, as Codex reports it. */
  readonly interruptMs: number | undefined;
}

/** Runs the turns of all roles at the same time. */
export async function perform(
  roles: readonly Role[],
  out: Output,
  stop: AbortSignal,
): Promise<Performance> {
  const lanes = roles.map(({ part }) => new Lane(part));
  const stage = openStage(out, lanes);
  const begunAt = monotonicMs();
  const turns = await Promise.allSettled(
    roles.map((role, index) => follow(role, lanes[index]!, stage, stop)),
  );
  const wallMs = monotonicMs() - begunAt;
  stage.close();
  stop.throwIfAborted();
  let interruptMs: number | undefined;
  for (const turn of turns) {
    if (turn.status === "rejected") throw turn.reason;
    interruptMs ??= turn.value;
  }
  return { lanes, wallMs, interruptMs };
}

/** @returns how long the interrupt took, where there was one. */
async function follow(
  { client, part, interruptedAt }: Role,
  lane: Lane,
  stage: Stage,
  stop: AbortSignal,
): Promise<number | undefined> {
  let askedAt: number | undefined;
  try {
    const turn = client.runTurn({ prompt: part.prompt, signal: stop });
    for await (const event of turn) {
      const happening = lane.hear(event);
      if (happening !== undefined) stage.happened(lane, happening);
      if (askedAt !== undefined || interruptedAt === undefined) continue;
      if (lane.progress < interruptedAt) continue;
      stage.happened(lane, lane.stopping());
      askedAt = monotonicMs();
      turn.interrupt();
    }
    const result = await turn.result;
    const interruptMs = askedAt === undefined ? undefined : monotonicMs() - askedAt;
    stage.happened(lane, lane.end(result));
    return interruptMs;
  } finally {
    if (!lane.over) stage.happened(lane, lane.end());
  }
}
