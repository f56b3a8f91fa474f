import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { livenessOf } from "../../src/os/process-identity.ts";
import { CAN_SEE_PROCESSES } from "../support/marked-processes.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

const CLI = fileURLToPath(new URL("../../dist/cli.cjs", import.meta.url));

describe.skipIf(!CAN_SEE_PROCESSES)("a broker that a command of Codex has started", () => {
  test.each<[how: string, end: (outer: ServingRecord) => void]>([
    ["is killed", ({ broker }) => process.kill(broker.pid, "SIGKILL")],
    ["is told to end", ({ broker }) => process.kill(broker.pid, "SIGTERM")],
    ["loses its app-server", ({ appServer }) => process.kill(appServer!.pid, "SIGKILL")],
  ])(
    "F119: survives with its turns when the first broker %s, and does not count in its budget",
    { timeout: 60_000 },
    async (_how, end) => {
      await using world = await makeWorld();
      const other = join(dirname(world.workspace), "other");
      mkdirSync(other);
      const outer = await world.connect();
      // The program that starts the broker stays its parent for longer than it takes to be noticed.
      const command = `'${process.execPath}' '${CLI}' run --cwd '${other}' 'slow: 30x100ms tick'`;
      await outer.runTurn({
        prompt: `shell: ${command} ;; say: started`,
        sandbox: "danger-full-access",
      }).result;
      const [first, second] = livingBrokers(world.stateDir).toSorted((a, b) =>
        a.workspace === world.workspace ? -1 : b.workspace === world.workspace ? 1 : 0,
      );
      expect([first?.workspace, second?.workspace]).toEqual([world.workspace, other]);
      const inner = await world.connect({ cwd: other });
      expect(inner.instance).toBe(second?.instance);
      const turn = inner.runTurn({
        prompt: "shell: sleep 4 ;; slow: 30x100ms tick ;; say: whole",
        sandbox: "danger-full-access",
      });
      await eventually(async () => {
        const { usage } = await inner.status();
        return (usage.descendants?.count ?? 0) > 0;
      }, "its command runs");
      await eventually(async () => {
        const { usage } = await outer.status();
        return usage.descendants?.count === 0;
      }, "the first broker counts nothing of it");

      outer.close();
      end(first!);
      await eventually(() => livenessOf(first!.broker) === "gone", "the first broker has ended");
      await eventually(() => livenessOf(first!.appServer!) === "gone", "and its app-server");
      // A successor ends what a killed broker has left behind.
      await using next = await world.connect();
      expect((await next.runTurn({ prompt: "say: next" }).result).message).toBe("next");
      const { status, message } = await turn.result;
      expect([status, message]).toEqual(["completed", "whole"]);
      expect(livenessOf(second!.broker)).toBe("alive");
      expect((await inner.status()).instance).toBe(second?.instance);
      inner.close();
    },
  );
});
