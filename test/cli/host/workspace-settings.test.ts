import { readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
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
  expect(readSettings(one, env)).toEqual({
    settings: { reviewGate: false, jobsAtEnd: "keep" },
    chosenIn: {},
  });
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
    chosenIn: { reviewGate: realpathSync.native(dir.path) },
  });
  const aside = readdirSync(folder).find((file) => file.includes(".damaged-"));
  expect(readFileSync(join(folder, aside ?? ""), "utf8")).toBe("{");
});

test("the strictest of all workspaces around a directory count (F176)", async () => {
  await using dir = await makeTempDir();
  const env = { CODEX_BROKER_STATE_DIR: join(dir.path, "state") };
  const outer = join(realpathSync.native(dir.path), "outer");
  const clone = join(outer, "vendor/clone");
  for (const top of [outer, clone]) {
    await mkdir(join(top, ".git"), { recursive: true });
    writeFileSync(join(top, ".git/HEAD"), "ref: refs/heads/main\n");
  }
  await mkdir(join(clone, "src"));
  const strict = { reviewGate: true, jobsAtEnd: "cancel" };
  changeSettings(outer, { reviewGate: true }, env);
  changeSettings(clone, { reviewGate: false, jobsAtEnd: "cancel" }, env);
  expect(readSettings(join(clone, "src"), env)).toEqual({
    settings: strict,
    chosenIn: { reviewGate: outer, jobsAtEnd: clone },
  });
  expect(readSettings(join(clone, "gone/deeper"), env).settings).toEqual(strict);
  expect(readSettings(outer, env).settings).toEqual({ reviewGate: true, jobsAtEnd: "keep" });
  // Where the session began counts beside where it is.
  expect(readSettings([dir.path, clone], env).settings).toEqual(strict);
  expect(readSettings(dir.path, env).settings.reviewGate).toBe(false);
  // A damaged file of the clone switches nothing off.
  const folder = join(env.CODEX_BROKER_STATE_DIR, "workspaces");
  const ofClone = readdirSync(folder).find((name) =>
    readFileSync(join(folder, name), "utf8").includes(JSON.stringify(clone)),
  );
  writeFileSync(join(folder, ofClone ?? ""), "{");
  const damaged = readSettings(clone, env);
  expect(damaged.settings.reviewGate).toBe(true);
  expect(damaged.damage).toContain(ofClone);
});

test("a workspace without git counts for a repository that is made in it (F176)", async () => {
  await using dir = await makeTempDir();
  const env = { CODEX_BROKER_STATE_DIR: join(dir.path, "state") };
  const plain = join(dir.path, "plain");
  await mkdir(join(plain, "clone/.git"), { recursive: true });
  writeFileSync(join(plain, "clone/.git/HEAD"), "ref: refs/heads/main\n");
  changeSettings(plain, { reviewGate: true }, env);
  expect(readSettings(join(plain, "clone"), env).settings.reviewGate).toBe(true);
});
