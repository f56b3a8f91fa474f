import { expect, test } from "vitest";
import { onTrace, trace, type TraceEvent } from "../../src/base/trace.ts";

test("everyone who listens hears what is traced, until he undoes it", () => {
  const heard: TraceEvent[] = [];
  trace("info", "before.anyone");
  const undo = onTrace((event) => heard.push(event));
  trace("warn", "area.what", { pid: 7 });
  undo();
  trace("info", "after.all");
  expect(heard).toEqual([{ level: "warn", event: "area.what", pid: 7 }]);
});
