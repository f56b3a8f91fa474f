import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { CAN_SEE_PROCESSES } from "../support/marked-processes.ts";
import { runNode } from "../support/node-process.ts";

guardAgainstLeaks();

const demo = fileURLToPath(new URL("../../build/demo.js", import.meta.url));

const NOTHING_LEFT = CAN_SEE_PROCESSES
  ? "left behind: 0 processes, 0 files"
  : expect.stringContaining("left behind: 0 files");

/** Longer than on any machine: how long it takes on a quiet one is measured, and stands in the README. */
const LIMIT_MS = 240_000;

describe("the demo, without a terminal", () => {
  test(
    "shows what it promises, and leaves nothing behind",
    async () => {
      const { code, stdout, stderr } = await runNode([demo], process.env);

      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(lastLine(stdout)).toEqual(NOTHING_LEFT);
      expect(existsSync(directoryIn(stdout))).toBe(false);
      // oxlint-disable-next-line no-control-regex -- because none may be there.
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/);
      for (const fact of FACTS) expect(stdout).toMatch(fact);
      expect(turnsOfSpeech(stdout)).toBeGreaterThan(10);
    },
    LIMIT_MS,
  );

  test.each(["epoch 1 is claimed", "alone  "])(
    "cleans up as well when it is interrupted after it has said %j",
    async (moment) => {
      const child = spawn(process.execPath, [demo], {
        env: process.env,
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = new Promise((resolve) => child.once("exit", resolve));
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (more: string) => {
        if (!said.includes(moment) && (said + more).includes(moment)) child.kill("SIGINT");
        said += more;
      });
      await text(child.stdout);
      expect(await exited).toBe(130);
      expect(said).toContain("ended early: Ctrl-C");
      expect(lastLine(said)).toEqual(NOTHING_LEFT);
      expect(existsSync(directoryIn(said))).toBe(false);
    },
    LIMIT_MS,
  );
});

const TIME = String.raw`\d[\d.]* (ms|s)`;

const FACTS: readonly RegExp[] = [
  / 1 There is no broker/,
  new RegExp(`${TIME}  the client's first request is answered`),
  /broker \d+ · app-server \d+ · epoch 1 · codex \d/,
  / 2 Four clients run turns at the same time/,
  new RegExp(`alone +✓ completed in ${TIME}`),
  new RegExp(`editor +✓ completed in ${TIME}`),
  new RegExp(`shell +✓ completed in ${TIME}`),
  new RegExp(`reviewer +✓ completed in ${TIME}`),
  new RegExp(`chat +✗ interrupted by its user after ${TIME}`),
  /command +\$ .*letter\.txt.* → exit 0: .*\d/,
  /reasoning +\d+ words were thought before/,
  new RegExp(`interrupt +confirmed ${TIME} after`),
  /in flight +4 requests at the model at once/,
  new RegExp(`wall time +${TIME} for the four, ${TIME} for the one alone`),
  / 3 Whoever comes next finds the broker warm/,
  new RegExp(`${TIME}  for a whole new process`),
  /it saw +broker \d+, still epoch 1, with 5 sessions/,
  / 4 The broker is replaced in the middle of a turn/,
  new RegExp(`${TIME}  \`rotate\`: epoch 2 serves`),
  new RegExp(`${TIME}  the turn in epoch 1 completes, all 35 words of it`),
  / 5 The broker is killed in the middle of a turn/,
  /its client is told: The turn was lost/,
  new RegExp(`${TIME}  the next client is served: broker \\d+, epoch 3`),
  / 6 What was measured/,
  /cold start +\d/,
  / 7 The end/,
];

/** How often another client gets to speak than the one before. */
function turnsOfSpeech(stdout: string): number {
  const speakers = stdout
    .slice(stdout.indexOf("And now four"))
    .split("\n")
    .map((line) => /^ +[\d.]+ m?s +(editor|shell|reviewer|chat) /.exec(line)?.[1])
    .filter((speaker) => speaker !== undefined);
  return speakers.filter((speaker, index) => speaker !== speakers[index - 1]).length;
}

function directoryIn(stdout: string): string {
  const directory = /Everything is in (\S+),/.exec(stdout)?.[1];
  if (directory === undefined) throw new Error("the demo did not say where it works");
  return directory;
}

function lastLine(stdout: string): string | undefined {
  return stdout.trimEnd().split("\n").at(-1);
}
