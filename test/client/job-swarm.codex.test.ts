import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { viewJobs } from "../../src/client/job-list.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { scopeDir } from "./job-states.ts";

guardAgainstLeaks();

const PROGRAM = fileURLToPath(new URL("../fixtures/start-jobs.mjs", import.meta.url));

/** Processes and the jobs of each: `JOB_SWARM=20x10` is two hundred by twenty. */
const [processes = 5, each = 8] = (process.env["JOB_SWARM"] ?? "5x8").split("x").map(Number);

test(
  `F01 F28 F55: ${processes * each} jobs, started by ${processes} processes at once that go away: none is lost, none doubled`,
  { timeout: 180_000 },
  async () => {
    await using world = await makeWorld();
    const run = promisify(execFile);
    const told = await Promise.all(
      Array.from({ length: processes }, async (_none, name) => {
        const args = [PROGRAM, world.workspace, String(name), String(each)];
        const { stdout } = await run(process.execPath, args, { env: world.env });
        return JSON.parse(stdout) as string[];
      }),
    );
    await eventually(
      async () => (await viewJobs(scopeDir(world))).every(({ state }) => state === "completed"),
      "all have completed",
      120_000,
    );
    const views = await viewJobs(scopeDir(world));
    expect(views.map(({ id }) => id).toSorted()).toEqual(told.flat().toSorted());
    const messages = views.map((one) => ("job" in one ? one.job.end?.message : undefined));
    expect(new Set(messages).size).toBe(processes * each);
    expect(world.model.requests.total).toBe(processes * each);
    const directory = join(scopeDir(world), "jobs");
    for (const name of readdirSync(directory)) {
      const types = readFileSync(join(directory, name), "utf8").match(/^\{"type":"\w+"/gm) ?? [];
      for (const once of ["created", "started", "ended"]) {
        expect(types.filter((type) => type === `{"type":"${once}"`)).toHaveLength(1);
      }
    }
  },
);
