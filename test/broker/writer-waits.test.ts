import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { WriterPatience, WriterWaits } from "../../src/broker/writer-waits.ts";
import type { OlderTurn } from "../../src/lifecycle/older-brokers.ts";
import { useFakeClock } from "../support/fake-clock.ts";

const clock = useFakeClock();

function older(): OlderTurn {
  const turn = { threadId: "t", turnId: "u", session: 1, ageMs: 9, silentMs: 9 };
  const link = { connection: { close: () => {} } } as unknown as OlderTurn["link"];
  return { epoch: 3, turn, link };
}

function waits(found?: OlderTurn): {
  readonly writers: WriterWaits;
  readonly happened: unknown[];
  readonly wait: (patience: WriterPatience) => Promise<void>;
} {
  const happened: unknown[] = [];
  const writers = new WriterWaits({
    findOlderTurn: () => Promise.resolve(found),
    writerOf: async () => undefined,
  });
  return {
    writers,
    happened,
    wait: (patience) =>
      writers.wait("t", patience, {
        again: () => happened.push("again"),
        giveUp: (why) => happened.push(why),
      }),
  };
}

describe("a request for a thread that another app-server writes to", () => {
  test("is tried again after pauses that grow, and given up after some seconds", async () => {
    const { happened, wait } = waits();
    const patience = new WriterPatience(undefined);
    await wait(patience);
    clock.pass(99);
    expect(happened).toEqual([]);
    clock.pass(1);
    expect(happened).toEqual(["again"]);
    await wait(patience);
    clock.pass(199);
    expect(happened).toEqual(["again"]);
    clock.pass(1);
    expect(happened).toEqual(["again", "again"]);
    clock.pass(4_700);
    await wait(patience);
    expect(happened.at(-1)).toMatchObject({ kind: "threadBusy", details: { threadId: "t" } });
    expect(happened).toHaveLength(3);
  });

  test("waits for a turn that runs there only when it was asked to", async () => {
    const impatient = waits(older());
    await impatient.wait(new WriterPatience(undefined));
    expect(impatient.happened).toMatchObject([{ kind: "threadBusy", details: { epoch: 3 } }]);
    const patient = waits(older());
    await patient.wait(new WriterPatience(60_000));
    clock.pass(100);
    expect(patient.happened).toEqual(["again"]);
  });

  test("is refused at once, and not tried again, when nobody waits here any more", async () => {
    const { writers, happened, wait } = waits();
    await wait(new WriterPatience(undefined));
    const why = new BrokerError("draining", "It ends.");
    writers.refuse(why);
    expect(happened).toEqual([why]);
    await wait(new WriterPatience(undefined));
    expect(happened).toEqual([why, why]);
    clock.pass(10_000);
    expect(happened).toEqual([why, why]);
  });

  test("is refused while the older brokers are still being asked", async () => {
    const { writers, happened, wait } = waits(older());
    const waiting = wait(new WriterPatience(60_000));
    const why = new BrokerError("draining", "It ends.");
    writers.refuse(why);
    await waiting;
    clock.pass(10_000);
    expect(happened).toEqual([why]);
  });
});
