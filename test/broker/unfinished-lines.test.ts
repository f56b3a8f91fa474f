import { expect, test } from "vitest";
import { UnfinishedLines, type Unfinished } from "../../src/broker/unfinished-lines.ts";

function connection(name: string, dropped: string[]): Unfinished {
  return { dropUnfinished: (maxBytes) => void dropped.push(`${name} ${maxBytes}`) };
}

test("beyond the limit the line goes of which nothing has come for the longest time (F139)", () => {
  const dropped: string[] = [];
  const lines = new UnfinishedLines(10);
  const [one, two, three] = ["one", "two", "three"].map((name) => connection(name, dropped));
  lines.note(one!, 4);
  lines.note(two!, 4);
  lines.note(one!, 5);
  expect([lines.bytes, dropped]).toEqual([9, []]);
  lines.note(three!, 2);
  expect([lines.bytes, dropped]).toEqual([7, ["two 10"]]);
  lines.note(three!, 0);
  lines.note(two!, 5);
  expect([lines.bytes, dropped]).toEqual([10, ["two 10"]]);
  lines.note(two!, 11);
  expect([lines.bytes, dropped]).toEqual([0, ["two 10", "one 10", "two 10"]]);
});
