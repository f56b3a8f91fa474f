import { readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test, type TestContext } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";
import { makeWorld } from "../support/world.ts";
import type { Outcome } from "./trial.ts";

guardAgainstLeaks();

const TIMEOUT_MS = 240_000;
const JOBS = 4;

/** The short form of `npm run test:faults`. */
describe.skipIf(process.platform !== "linux")("one fault at a time", () => {
  let outcomes: readonly Outcome[] = [];
  let said = "";

  beforeAll(async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const program = fileURLToPath(new URL("../../scripts/faults.mjs", import.meta.url));
    const args = ["--short", "--jobs", String(JOBS), "--json"];
    const { stdout, stderr } = await runNode([program, ...args], process.env, root);
    said = stderr;
    if (stdout === "") throw new Error(stderr);
    outcomes = JSON.parse(stdout) as Outcome[];
  }, TIMEOUT_MS);

  /** The next client is served in time, nobody innocent is ended, every question is settled, nothing is left. */
  function expectSurvived(context: TestContext, ...faults: string[]): void {
    const skipped: string[] = [];
    for (const fault of faults) {
      const outcome = outcomes.find(({ group, name }) => `${group}: ${name}` === fault);
      expect(outcome?.violations, `${fault}; what it said: ${said}`).toEqual([]);
      if (typeof outcome?.skipped === "string") skipped.push(`${fault}: ${outcome.skipped}`);
    }
    // A fault that cannot be brought about here hides none of the others, and is not called survived.
    if (skipped.length > 0) context.skip(skipped.join("; "));
  }

  test("the short form holds every fault that is named here, and no other", () => {
    expect(outcomes.length).toBeGreaterThan(25);
    expect(outcomes.every(({ short }) => short)).toBe(true);
  });

  test("F01 F17: whoever dies at a step of the start leaves nothing that is in anybody's way", (context) => {
    const step = "at a step of the start";
    expectSurvived(
      context,
      `${step}: claimant after the claim: killed`,
      `${step}: claimant after the spawn: killed`,
      `${step}: broker before it listens: killed`,
      `${step}: broker after it listens: killed`,
      `${step}: broker before claim → serving: killed`,
      `${step}: broker after claim → serving: killed`,
      `${step}: broker before serving with app-server: killed`,
      `${step}: broker after serving with app-server: killed`,
    );
  });

  test("F02: a start that is slow and then comes up is waited for, and no second one is made", (context) => {
    expectSurvived(
      context,
      "slow, and then it comes up: broker before it listens, 4 s: hangs",
      "the app-server (a scripted one): takes 10 s to answer `initialize`",
    );
  });

  test("F14 F17: a broker that dies on its way out, before it has said so, is buried by its successor", (context) => {
    const step = "at a step of the end";
    expectSurvived(
      context,
      `${step}: broker in the middle of the drain: killed`,
      `${step}: broker before the obituary: killed`,
    );
  });

  test("F29: an old broker that dies when it begins to drain takes nobody along", (context) => {
    const step = "at a step of a rotation, a turn running in the old one";
    expectSurvived(context, `${step}: old one when it begins to drain: killed`);
  });

  test("F06 F10 F42: a killed broker: neither its record nor its socket misleads the next client", (context) => {
    expectSurvived(context, "a signal: broker, SIGKILL, in a turn");
  });

  test("F11: a killed app-server takes its broker along, and its turns are told", (context) => {
    expectSurvived(context, "a signal: app-server, SIGKILL, in a turn");
  });

  test("F23 F26: a killed client harms nobody", (context) => {
    expectSurvived(context, "a signal: client, SIGKILL, in a turn");
  });

  test("F08 F24: what is removed under a broker ends it without a cut, and its successor loses nothing", (context) => {
    expectSurvived(
      context,
      "removed: socket, in a turn",
      "removed: record, idle",
      "removed: state directory, idle",
    );
  });

  test("F25: a workspace that is removed in a turn ends its broker", (context) => {
    expectSurvived(context, "the workspace: removed, in a turn");
  });

  test("F78: a disk that takes nothing and gives nothing up fails no running turn", (context) => {
    expectSurvived(
      context,
      "the disk of the state directory: full, and the broker killed, idle",
      "the disk of the state directory: read-only, and the broker stopped in a turn",
    );
  });

  test("a clock that jumps ends nobody and keeps nobody waiting", (context) => {
    expectSurvived(
      context,
      "the clock: the broker's jumps by +1 day in a turn",
      "the clock: a claimant's is wrong by −1 day, and it was killed",
    );
  });

  test("F83: in Codex's own sandbox a client is told that it is one, and starts nothing", (context) => {
    expectSurvived(
      context,
      "rights: EPERM in Codex's own sandbox",
      "rights: EPERM in Codex's own sandbox, where there is no broker yet",
    );
  });

  test("F83: a socket or a directory that modes forbid is told as that, and nothing is started", (context) => {
    expectSurvived(
      context,
      "rights: EACCES on the socket",
      "rights: EACCES on the directory of the epochs",
    );
  });

  test("F47: an app-server that exits with code 0 in a turn has failed", (context) => {
    expectSurvived(context, "the app-server (a scripted one): exits with code 0 in a turn");
  });

  test("F96: a broker out of descriptors finishes its turns and goes on when it has some again", (context) => {
    expectSurvived(context, "descriptors: EMFILE in the broker (limit 64), in a turn");
  });
});

test.skipIf(process.platform !== "linux")(
  "F79: neither the broker nor the app-server stands in the workspace, idle or in a turn",
  async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { pid, appServer } = await client.status();
    const places = (): string[] =>
      [pid, appServer.pid ?? 0].map((each) => readlinkSync(`/proc/${each}/cwd`));
    expect(places()).toEqual(["/", "/"]);
    const turn = client.runTurn({ prompt: "slow: 10x50ms tick" });
    for await (const event of turn) if (event.type === "message.delta") break;
    expect(places()).toEqual(["/", "/"]);
    expect((await turn.result).status).toBe("completed");
  },
);
