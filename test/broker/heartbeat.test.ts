import { statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startHeartbeat } from "../../src/broker/heartbeat.ts";
import { HEARTBEAT_MS } from "../../src/lifecycle/epoch-file.ts";
import { eventually } from "../support/eventually.ts";
import { makeTempDir } from "../support/temp-dir.ts";

afterEach(() => vi.useRealTimers());

test("a broker touches its epoch file at intervals, and its absence is no failure (F127)", async () => {
  await using dir = await makeTempDir();
  const file = join(dir.path, "1.json");
  writeFileSync(file, "");
  const longAgo = new Date(0);
  utimesSync(file, longAgo, longAgo);
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const stops = [startHeartbeat(file), startHeartbeat(join(dir.path, "none.json"))];
  vi.advanceTimersByTime(HEARTBEAT_MS - 1);
  expect(statSync(file).mtimeMs).toBe(0);
  vi.advanceTimersByTime(1);
  await eventually(() => statSync(file).mtimeMs > 0, "the file is touched");
  for (const stop of stops) stop();
  expect(vi.getTimerCount()).toBe(0);
});
