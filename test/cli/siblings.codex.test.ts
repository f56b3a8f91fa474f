import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { epochPath } from "../../src/lifecycle/epoch-file.ts";
import { scopeDirectory } from "../../src/lifecycle/state-directory.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeWorld } from "../support/world.ts";
import { cli, lastJson } from "./program.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

const NOT_STARTED = "no broker has been started for this workspace with this environment";

test("status, stop, ps and doctor name the other brokers of the workspace and what differs (F131)", async () => {
  await using world = await makeWorld();
  const env = { OPENAI_BASE_URL: "https://a-secret-address" };
  const other = lastJson((await cli(world, ["ensure", "--json"], { env })).stdout);
  const labelled = lastJson((await cli(world, ["ensure", "--json", "--label", "two"])).stdout);

  for (const command of ["status", "stop"]) {
    const { code, stdout } = await cli(world, [command]);
    expect({ command, code }).toEqual({ command, code: 0 });
    expect(stdout).toContain(NOT_STARTED);
    expect(stdout).toMatch(new RegExp(`process ${String(other["pid"])} · OPENAI_BASE_URL$`, "m"));
    expect(stdout).toMatch(new RegExp(`process ${String(labelled["pid"])} · label "two"$`, "m"));
    const json = lastJson((await cli(world, [command, "--json"])).stdout);
    expect(json).toMatchObject({ state: "absent" });
    const siblings = json["siblings"] as Array<{ pid: number; differs: string[] }>;
    expect(siblings).toHaveLength(2);
    expect(siblings.find(({ pid }) => pid === other["pid"])?.differs).toEqual(["OPENAI_BASE_URL"]);
  }

  await cli(world, ["ensure"]);
  const status = await cli(world, ["status"]);
  expect(status.stdout).toMatch(/also here +epoch 1 · process \d+ · OPENAI_BASE_URL/);
  const ps = await cli(world, ["ps"]);
  expect(ps.stdout).toContain(`process ${String(labelled["pid"])} differs from its neighbours by`);
  expect(ps.stdout).toMatch(/label "two", no OPENAI_BASE_URL$/m);
  const doctor = lastJson((await cli(world, ["doctor", "--json"])).stdout) as {
    findings: Array<{ code: string; severity: string; message: string }>;
  };
  const found = doctor.findings.find(({ code }) => code === "siblingBrokers");
  expect(found).toMatchObject({ severity: "note" });
  expect(found?.message).toContain("OPENAI_BASE_URL");

  const stopped = await cli(world, ["stop"]);
  expect(stopped.stdout).toMatch(/^○ stopped/m);
  expect(stopped.stdout.match(/not stopped/g)).toHaveLength(2);
  expect(stopped.stdout).toContain("codex-broker stop --all");

  const directory = scopeDirectory(world.stateDir, String(other["scope"]));
  const record = readFileSync(epochPath(directory, 1), "utf8");
  expect(record).toContain("OPENAI_BASE_URL");
  expect(record).not.toContain("a-secret-address");
});

test("brokers with another CODEX_HOME are named by it, and those of other workspaces are not (F131)", async () => {
  await using world = await makeWorld();
  const CODEX_HOME = join(world.workspace, "home");
  const elsewhere = join(world.workspace, "..", "elsewhere");
  for (const directory of [CODEX_HOME, elsewhere]) mkdirSync(directory);
  await cli(world, ["ensure"], { env: { CODEX_HOME } });
  await cli(world, ["ensure"], { cwd: elsewhere });
  const json = lastJson((await cli(world, ["status", "--json"])).stdout);
  expect(json["siblings"]).toMatchObject([
    { codexHome: CODEX_HOME, differs: [`CODEX_HOME ${CODEX_HOME}`] },
  ]);
});
