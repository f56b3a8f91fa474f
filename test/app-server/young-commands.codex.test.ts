import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { livenessOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { CAN_SEE_PROCESSES } from "../support/marked-processes.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

/** The processes whose last argument is this text. */
function running(lastArgument: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").at(-2) === lastArgument;
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe.skipIf(!CAN_SEE_PROCESSES)("a command that has just been approved", () => {
  test.each<[how: string, command: (seconds: string) => string]>([
    ["runs in the foreground", (seconds) => `sleep ${seconds}; true`],
    ["has left its session and its parent", (seconds) => `(setsid sleep ${seconds} &); sleep 62`],
    ["is a shell of its own", (seconds) => `sh -c 'setsid sh -c "sleep ${seconds}; true"'`],
    ["has no environment", (seconds) => `sh -c 'env -i sleep ${seconds}; true'; true`],
  ])(
    "F188: ends when the app-server is killed at that moment, though it %s",
    { timeout: 60_000 },
    async (_how, command) => {
      await using world = await makeWorld();
      const client = await world.connect();
      const { pid, appServer } = await client.status();
      const [record] = livingBrokers(world.stateDir);
      const seconds = `61.${pid}`;
      const turn = client.runTurn({
        prompt: `shell-ask: ${command(seconds)}`,
        approvalPolicy: "on-request",
        onQuestion: async () => ({ decision: "accept" }),
      });
      const ended = turn.result.catch((error: unknown) => error);
      await eventually(() => running(seconds).length > 0, "the command runs", 20_000);
      process.kill(appServer.pid!, "SIGKILL");
      await ended;
      await eventually(() => livenessOf(record!.broker) === "gone", "the broker has ended");
      expect(running(seconds)).toEqual([]);
      client.close();
    },
  );
});
