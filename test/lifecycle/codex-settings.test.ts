import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { changeOf, readCodexSettings } from "../../src/lifecycle/codex-settings.ts";
import { makeTempDir } from "../support/temp-dir.ts";

test("F67 F70: a file that appears or changes is a change; one that cannot be read is none", async () => {
  await using dir = await makeTempDir();
  const config = join(dir.path, "config.toml");
  const none = readCodexSettings(dir.path);
  writeFileSync(config, "one");
  const one = readCodexSettings(dir.path);
  expect(changeOf(none, one)).toContain("config.toml has changed");
  expect(changeOf(one, readCodexSettings(dir.path))).toBeUndefined();

  await using unreadable = await makeTempDir();
  mkdirSync(join(unreadable.path, "config.toml"));
  mkdirSync(join(unreadable.path, "auth.json"));
  const unread = readCodexSettings(unreadable.path);
  expect(changeOf(one, unread)).toBeUndefined();
  expect(changeOf(unread, one)).toBeUndefined();
});
