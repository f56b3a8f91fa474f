import { describe, expect, test } from "vitest";
import { Inbox } from "../../src/client/inbox.ts";
import type { TurnContext } from "../../src/client/turn-context.ts";
import { TurnRun } from "../../src/client/turn.ts";
import { MAX_LINE_BYTES } from "../../src/wire/broker-protocol.ts";
import { Connection } from "../../src/wire/connection.ts";
import { eventually } from "../support/eventually.ts";
import { linkedEnds, type Ends } from "../wire/duplex.ts";

const THREAD = "t";
const TURN = "u";

interface Running {
  readonly turn: TurnRun;
  readonly ends: Ends;
  /** How often Codex's history was asked. */
  readonly asked: () => number;
}

/** A turn that runs on a connection in memory, and a history that says how the turn ended. */
async function running(inHistory: "completed" | "interrupted"): Promise<Running> {
  const ends = linkedEnds();
  const inbox = new Inbox();
  const connection = new Connection(
    { readable: ends.near, writable: ends.near },
    {
      onNotification: (method, params) => inbox.notification(method, params),
      maxLineBytes: MAX_LINE_BYTES,
    },
  );
  let asked = 0;
  const context: TurnContext = {
    inbox,
    workspace: "/work",
    connection: () => Promise.resolve(connection),
    onReplaced: () => () => {},
    wasReplaced: () => false,
    whyNotReplaced: () => undefined,
    asItWas: (params) => ({ ...params }),
    onOpened: ({ result }) => Promise.resolve(result),
    lookUp: () => {
      asked += 1;
      const page = { data: [{ id: TURN, status: inHistory, error: null }], nextCursor: null };
      return Promise.resolve(page as unknown as Awaited<ReturnType<TurnContext["lookUp"]>>);
    },
  };
  const turn = new TurnRun(context, { prompt: "anything" });
  turn.result.catch(() => {});
  await eventually(() => ends.sent.length === 1, "thread/start is sent");
  ends.say(`{"id":1,"result":{"thread":{"id":"${THREAD}"},"model":"m","cwd":"/"}}`);
  await eventually(() => ends.sent.length === 2, "turn/start is sent");
  ends.say(`{"id":2,"result":{"turn":{"id":"${TURN}"}}}`);
  await eventually(() => turn.turnId === TURN, "the turn's id is known");
  return { turn, ends, asked: () => asked };
}

function sayFinalMessage({ ends, turn }: Running): Promise<void> {
  const item = { type: "agentMessage", id: "i", text: "all done", phase: "final_answer" };
  const params = { threadId: THREAD, turnId: TURN, item };
  ends.say(JSON.stringify({ method: "item/completed", params }));
  return (async () => {
    for await (const event of turn) if (event.type === "item.completed") return;
  })();
}

describe("F42: a connection that is lost after the final message", () => {
  test("is no loss when Codex's history says that the turn was completed", async () => {
    const run = await running("completed");
    await sayFinalMessage(run);
    run.ends.near.destroy();
    expect(await run.turn.result).toMatchObject({
      status: "completed",
      message: "all done",
      turnId: TURN,
    });
    expect(run.asked()).toBe(1);
  });

  test("is a loss when the history says otherwise", async () => {
    const run = await running("interrupted");
    await sayFinalMessage(run);
    run.ends.near.destroy();
    await expect(run.turn.result).rejects.toMatchObject({ kind: "turnLost" });
    expect(run.asked()).toBe(1);
  });

  test("before it, nobody waits for the history: the loss is told at once", async () => {
    const run = await running("completed");
    run.ends.near.destroy();
    await expect(run.turn.result).rejects.toMatchObject({ kind: "turnLost" });
    expect(run.asked()).toBe(0);
  });
});

test("F102: a turn whose thread is closed under it has the end that Codex's history knows", async () => {
  const { turn, ends } = await running("completed");
  ends.say(JSON.stringify({ method: "thread/closed", params: { threadId: THREAD } }));
  await eventually(() => ends.sent.length === 3, "the history is asked for");
  expect(ends.sent[2]).toContain('"thread/turns/list"');
  const item = { type: "agentMessage", id: "i", text: "all done", phase: null };
  const ended = { id: TURN, status: "completed", error: null, items: [item] };
  ends.say(JSON.stringify({ id: 3, result: { data: [ended], nextCursor: null } }));
  expect(await turn.result).toMatchObject({ status: "completed", message: "all done" });
  const events = [];
  for await (const { type } of turn) events.push(type);
  expect(events.at(-1)).toBe("turn.completed");
});
