import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { runNode } from "../support/node-process.ts";
import type { Row } from "./table.ts";

guardAgainstLeaks();

const ROUNDS = 6;
const PROCESSES = 10;
const TIMEOUT_MS = 120_000;

/** The short form of `npm run test:elections`: one round for each scenario. */
describe.skipIf(process.platform !== "linux")(`${PROCESSES} processes ask at one instant`, () => {
  let rows: readonly Row[] = [];
  let said = "";

  beforeAll(async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const program = fileURLToPath(new URL("../../scripts/elections.mjs", import.meta.url));
    const args = ["--rounds", String(ROUNDS), "--processes", String(PROCESSES), "--json"];
    const { stdout, stderr } = await runNode([program, ...args], process.env, root);
    said = stderr;
    if (stdout === "") throw new Error(stderr);
    rows = JSON.parse(stdout) as Row[];
  }, TIMEOUT_MS);

  function expectOneForAll(scenario: string): void {
    const row = rows.find((each) => each.scenario === scenario);
    const good = { rounds: 1, happened: 1, oneWinner: 1, everyoneServed: 1, extra: 0 };
    expect(row, `what it said: ${said}`).toMatchObject(good);
  }

  test("F01: where there is nothing, they get one broker", () => {
    expectOneForAll("clean");
  });

  test("F01 F06: past the record of a broker that was killed, they get one successor", () => {
    expectOneForAll("stale record");
  });

  test("F01 F10: past the socket that it left behind, they get one successor", () => {
    expectOneForAll("stale socket");
  });

  test("F01: past a claim whose claimant was killed, they get one broker", () => {
    expectOneForAll("claimant killed mid-start");
  });

  test("F01: past a claimant that stopped, they get one broker, and its late one leaves", () => {
    expectOneForAll("claimant stopped");
  });

  test("F01: when the winner is killed, all others are served all the same", () => {
    expectOneForAll("winner killed before it serves");
  });
});
