import { describe, expect, test } from "vitest";
import { Bench, turnCompleted, turnStarted, type Client } from "./bench.ts";

const delta = (threadId: string, text: string): object => ({
  method: "item/agentMessage/delta",
  params: { threadId, turnId: "u", delta: text },
});

/** What a session has heard, told by its deltas and else by its methods. */
const story = (client: Client): unknown[] =>
  client.heard.flatMap(({ method, params }) =>
    method === undefined ? [] : (params?.["delta"] ?? method),
  );

describe("who joins in the middle of a turn", () => {
  test("F35: is told all of it that came before, then the rest; the others hear nothing twice", async () => {
    const bench = new Bench();
    const [one, late] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.tell(delta("t", "before the turn"));
    await bench.turn(one, "t", "u");
    await bench.tell(delta("t", "1"));
    await bench.joins(late, "t");
    await bench.tell(delta("t", "2"));
    await bench.joins(late, "t");
    await bench.tell(turnCompleted("t", "u"));
    expect(story(late)).toEqual(["turn/started", "1", "2", "turn/completed"]);
    expect(late.heard.findIndex(({ id }) => id === "join t")).toBe(0);
    expect(story(one)).toEqual(["before the turn", "turn/started", "1", "2", "turn/completed"]);
    await late.say({ id: 1, method: "thread/unsubscribe", params: { threadId: "t" } });
    await bench.joins(late, "t");
    expect(story(late)).toHaveLength(4);
  });

  test("F35: is told of the sub-agents too, in the order in which it all happened", async () => {
    const bench = new Bench();
    const [one, ofChild, late] = [await bench.client(), await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.tell(delta("c", "c early"));
    await bench.subAgent("t", "c");
    await bench.tell(turnStarted("c", "cu"));
    await bench.tell(delta("t", "t 1"));
    await bench.tell(delta("c", "c 1"));
    await bench.joins(ofChild, "c");
    await bench.tell(turnCompleted("c", "cu"));
    await bench.tell(delta("t", "t 2"));
    await bench.joins(late, "t");
    const all = ["turn/started", "c early", "thread/started", "turn/started", "t 1", "c 1"];
    expect(story(late)).toEqual([...all, "turn/completed", "t 2"]);
    expect(story(ofChild)).toEqual([
      "c early",
      "thread/started",
      "turn/started",
      "c 1",
      "turn/completed",
    ]);
    await bench.joins(ofChild, "t");
    expect(story(ofChild).slice(5)).toEqual(["turn/started", "t 1", "t 2"]);
  });

  test("F35: is told nothing of a turn that is over, though a sub-agent's goes on", async () => {
    const bench = new Bench();
    const [one, late] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.subAgent("t", "c");
    await bench.tell(turnStarted("c", "cu"));
    await bench.tell(delta("t", "over"));
    await bench.tell(turnCompleted("t", "u"));
    await bench.tell(delta("c", "goes on"));
    await bench.joins(late, "t");
    expect(story(late)).toEqual(["thread/started", "turn/started", "goes on"]);
  });

  test("F39: is told how much of a long turn was not kept", async () => {
    const bench = new Bench();
    const [one, late] = [await bench.client(), await bench.client()];
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    const piece = "x".repeat(1024 * 1024);
    for (let n = 0; n < 6; n += 1) await bench.tell(delta("t", `${n}${piece}`));
    await bench.joins(late, "t");
    const [missed, ...rest] = late.heard.filter(({ method }) => method !== undefined);
    expect(missed).toMatchObject({ method: "broker/missed", params: { threadId: "t", events: 4 } });
    expect(rest.map(({ params }) => String(params?.["delta"])[0])).toEqual(["3", "4", "5"]);
  });

  test("hears what it asked for only, of what it missed too", async () => {
    const bench = new Bench();
    const one = await bench.client();
    const late = await bench.client({ optOutNotificationMethods: ["item/agentMessage/delta"] });
    await bench.thread(one, "t");
    await bench.turn(one, "t", "u");
    await bench.tell(delta("t", "1"));
    await bench.joins(late, "t");
    expect(story(late)).toEqual(["turn/started"]);
  });
});
