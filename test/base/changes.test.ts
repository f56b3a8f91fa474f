import { expect, test } from "vitest";
import { Changes } from "../../src/base/changes.ts";
import { monotonicMs } from "../../src/base/deadline.ts";

test("a condition that holds already is not waited for", async () => {
  expect(await new Changes().until(() => true, 0)).toBe(true);
});

test("everyone who waits is told of the change that met the condition, not of those before", async () => {
  const changes = new Changes();
  let count = 0;
  const waiting = [1, 2, 3].map((wanted) => changes.until(() => count >= wanted, 10_000));
  const met: number[] = [];
  for (const [index, each] of waiting.entries()) void each.then(() => met.push(index + 1));
  for (count = 1; count <= 3; count += 1) {
    changes.notify();
    await waiting[count - 1];
    expect(met).toEqual([1, 2, 3].slice(0, count));
  }
});

test("a condition that nobody makes true ends with the limit, whatever else changes", async () => {
  const changes = new Changes();
  const startedAt = monotonicMs();
  const noise = setInterval(() => changes.notify(), 1);
  expect(await changes.until(() => false, 40)).toBe(false);
  clearInterval(noise);
  expect(monotonicMs() - startedAt).toBeLessThan(5_000);
});

test("a condition that became true unannounced is found at the limit", async () => {
  let met = false;
  const waiting = new Changes().until(() => met, 20);
  met = true;
  expect(await waiting).toBe(true);
});
