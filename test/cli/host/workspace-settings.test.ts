import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { changeSettings, readSettings } from "../../../src/cli/host/workspace-settings.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

test("are the defaults until something is chosen, and are the workspace's own", async () => {
  await using dir = await makeTempDir();
  const env = { CODEX_BROKER_STATE_DIR: join(dir.path, "state") };
  const [one, other] = [join(dir.path, "one"), join(dir.path, "other")];
  await mkdir(join(one, "below"), { recursive: true });
  await mkdir(join(one, ".git"));
  writeFileSync(join(one, ".git/HEAD"), "ref: refs/heads/main\n");
  await mkdir(other);
  expect(readSettings(one, env)).toEqual({ settings: { reviewGate: false, jobsAtEnd: "keep" } });
  changeSettings(join(one, "below"), { reviewGate: true }, env);
  changeSettings(one, { jobsAtEnd: "cancel" }, env);
  expect(readSettings(one, { ...env, CODEX_HOME: "/elsewhere" }).settings).toEqual({
    reviewGate: true,
    jobsAtEnd: "cancel",
  });
  expect(readSettings(other, env).settings.reviewGate).toBe(false);
});

test("F56: a damaged file is told of, and put aside by the next choice", async () => {
  await using dir = await makeTempDir();
  const env = { CODEX_BROKER_STATE_DIR: join(dir.path, "state") };
  changeSettings(dir.path, { reviewGate: true }, env);
  const folder = join(env.CODEX_BROKER_STATE_DIR, "workspaces");
  const [name = ""] = readdirSync(folder);
  writeFileSync(join(folder, name), "{");
  const { settings, damage } = readSettings(dir.path, env);
  expect(settings.reviewGate).toBe(false);
  expect(damage).toContain(name);
  changeSettings(dir.path, { reviewGate: true }, env);
  expect(readSettings(dir.path, env)).toEqual({
    settings: { reviewGate: true, jobsAtEnd: "keep" },
  });
  const aside = readdirSync(folder).find((file) => file.includes(".damaged-"));
  expect(readFileSync(join(folder, aside ?? ""), "utf8")).toBe("{");
});
