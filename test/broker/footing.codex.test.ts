import { readlinkSync, readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { CAN_SEE_PROCESSES } from "../support/marked-processes.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

/** Where a process stands, and every file it holds open. */
function placesOf(pid: number): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
  return [`/proc/${pid}/cwd`, ...descriptors].flatMap((link) => {
    try {
      return [readlinkSync(link)];
    } catch {
      // It was closed between the two looks.
      return [];
    }
  });
}

test.runIf(CAN_SEE_PROCESSES)(
  "F79: after a turn in it, neither the broker nor its app-server holds the workspace",
  async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { status } = await client.runTurn({ prompt: "shell: pwd ;; say: done" }).result;
    expect(status).toBe("completed");
    const { pid, appServer } = await client.status();
    for (const one of [pid, appServer.pid!]) {
      const places = placesOf(one);
      expect(places.length).toBeGreaterThan(5);
      expect(places.filter((place) => place.startsWith(world.workspace))).toEqual([]);
    }
  },
);
