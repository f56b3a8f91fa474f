import { expect, test } from "vitest";
import { Bench, turnCompleted, turnStarted } from "./bench.ts";
const APPROVAL = "item/commandExecution/requestApproval";

test("F35: a turn of a thread that nobody knows yet is counted until it ends", async () => {
  const bench = new Bench();
  await bench.client();
  await bench.tell(turnStarted("x", "u"));
  await bench.tell(turnCompleted("x", "u"));
  expect(bench.router.turnCount).toBe(0);
});
test("F65: a sub-agent's question goes to the session whose turn it serves", async () => {
  const bench = new Bench();
  const [one, other] = [await bench.client(), await bench.client()];
  await bench.thread(one, "t");
  await other.say({ id: 1, method: "thread/resume", params: { threadId: "t" } });
  await bench.answer("thread/resume", { result: { thread: { id: "t" } } });
  await bench.turn(other, "t", "u");
  await bench.tell({
    method: "thread/started",
    params: { thread: { id: "c", parentThreadId: "t" } },
  });
  await bench.tell(turnStarted("c", "cu"));
  await bench.tell({ id: 9, method: APPROVAL, params: { threadId: "c" } });
  expect([one.methods().includes(APPROVAL), other.methods().includes(APPROVAL)]).toEqual([
    false,
    true,
  ]);
});
test("F38: a sub-agent's thread is released with its parent's", async () => {
  const bench = new Bench();
  const one = await bench.client();
  await bench.thread(one, "t");
  await bench.tell({
    method: "thread/started",
    params: { thread: { id: "c", parentThreadId: "t" } },
  });
  await one.go();
  expect(bench.router.threadCount).toBe(0);
});
test("F37: a sub-agent's turn is interrupted with the turn that it serves", async () => {
  const bench = new Bench();
  const one = await bench.client();
  await bench.thread(one, "t");
  await bench.turn(one, "t", "u");
  await bench.tell({
    method: "thread/started",
    params: { thread: { id: "c", parentThreadId: "t" } },
  });
  await bench.tell(turnStarted("c", "cu"));
  await one.go();
  expect(bench.asked("turn/interrupt").map(({ params }) => params?.["threadId"])).toEqual([
    "t",
    "c",
  ]);
});
