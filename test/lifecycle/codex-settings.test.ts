import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { changeOf, readCodexSettings } from "../../src/lifecycle/codex-settings.ts";
import { makeTempDir } from "../support/temp-dir.ts";

const WORKSPACE = "/work";

/** What changes from one text of a file to the next. */
async function changes(
  file: "config.toml" | "auth.json",
  ...texts: readonly string[]
): Promise<Array<string | undefined>> {
  await using dir = await makeTempDir();
  const read = () => readCodexSettings(dir.path, WORKSPACE);
  const [first = "", ...rest] = texts;
  writeFileSync(join(dir.path, file), first);
  let before = await read();
  const found: Array<string | undefined> = [];
  for (const text of rest) {
    writeFileSync(join(dir.path, file), text);
    const now = await read();
    found.push(changeOf(before, now));
    before = now;
  }
  return found;
}

test("F67 F70: a file that appears or changes is a change; one that cannot be read is none", async () => {
  await using dir = await makeTempDir();
  const config = join(dir.path, "config.toml");
  const none = await readCodexSettings(dir.path, WORKSPACE);
  writeFileSync(config, "model = 'one'");
  const one = await readCodexSettings(dir.path, WORKSPACE);
  expect(changeOf(none, one)).toContain("config.toml has changed");
  expect(changeOf(one, await readCodexSettings(dir.path, WORKSPACE))).toBeUndefined();

  await using unreadable = await makeTempDir();
  mkdirSync(join(unreadable.path, "config.toml"));
  mkdirSync(join(unreadable.path, "auth.json"));
  const unread = await readCodexSettings(unreadable.path, WORKSPACE);
  expect(changeOf(one, unread)).toBeUndefined();
  expect(changeOf(unread, one)).toBeUndefined();
});

const SETTINGS =
  'model = "m"\nsandbox_mode = "read-only"\n[mcp_servers.x]\ncommand = "c"\nargs = ["a", "b"]\n';

describe("config.toml: what its programs note and how it is written is no change (F104)", () => {
  test.each([
    ["a comment", `# a remark\n${SETTINGS}# another\n`],
    [
      "another order, form and spacing",
      "mcp_servers = { x = { args = ['a','b',], command = 'c' } }\nsandbox_mode='read-only'\nmodel='m'",
    ],
    ["the trust in another project", `${SETTINGS}\n[projects."/other"]\ntrust_level = "trusted"\n`],
    [
      "the trust in a directory inside",
      `${SETTINGS}\n[projects."${WORKSPACE}/sub"]\ntrust_level = "trusted"\n`,
    ],
    ["a notice", `${SETTINGS}\n[notice]\nhide_full_access_warning = true\n`],
    ["a nested notice", `${SETTINGS}\n[notice.model_migrations]\n"a" = "b"\n`],
    [
      "the look of the terminal",
      `${SETTINGS}\n[tui]\ntheme = "dark"\n[tui.model_availability_nux]\n"m" = 3\n`,
    ],
    ["the desktop program's settings", `${SETTINGS}\n[desktop]\nwindow = { x = 1 }\n`],
    ["a key at the top", `windows_wsl_setup_acknowledged = true\n${SETTINGS}`],
  ])("%s", async (_what, text) => {
    expect(await changes("config.toml", SETTINGS, text, SETTINGS)).toEqual([undefined, undefined]);
  });

  test("when a marketplace was last fetched", async () => {
    const market = `${SETTINGS}\n[marketplaces.m]\nsource = "s"\n`;
    const fetched = `${market}last_updated = 2026-01-01T00:00:00Z\nlast_revision = "r"\n`;
    expect(await changes("config.toml", market, fetched)).toEqual([undefined]);
    expect(await changes("config.toml", market, market.replace('"s"', '"t"'))).toEqual([
      expect.stringContaining("config.toml"),
    ]);
  });

  test.each([
    ["a value", SETTINGS.replace('"m"', '"n"')],
    ["the order in a list", SETTINGS.replace('"a", "b"', '"b", "a"')],
    ["another type", SETTINGS.replace('"m"', "1")],
    ["a table", `${SETTINGS}\n[features]\nx = true\n`],
    ["a key of the same name elsewhere", `${SETTINGS}\n[features]\nnotice = true\n`],
  ])("but %s is one", async (_what, text) => {
    expect(await changes("config.toml", SETTINGS, text)).toEqual([
      "config.toml has changed since the broker started",
    ]);
  });

  test("but the trust in the workspace itself is one", async () => {
    const trusted = (level: string): string =>
      `${SETTINGS}\n[projects."${WORKSPACE}"]\ntrust_level = "${level}"\n`;
    expect(
      await changes("config.toml", SETTINGS, trusted("trusted"), trusted("untrusted")),
    ).toEqual(Array(2).fill("the trust in the workspace has changed since the broker started"));
  });

  test.each([
    ["half of it", SETTINGS.slice(0, 30)],
    ["no TOML", "model = \n"],
  ])("and %s proves nothing", async (_what, text) => {
    expect(await changes("config.toml", SETTINGS, text, SETTINGS)).toEqual([undefined, undefined]);
  });
});

describe("auth.json: who is logged in (F132)", () => {
  const login = (account: string, token: string): string =>
    JSON.stringify({ tokens: { account_id: account, access_token: token }, last_refresh: token });

  test.each([
    ["", "nothing"],
    ['{"tokens":{"acc', "half of it"],
    ["null", "null"],
  ])("%j proves nothing (%s)", async (text) => {
    expect(await changes("auth.json", login("a", "1"), text, login("a", "1"))).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("tokens do not count, the account and the key do", async () => {
    const [renewed, other] = await changes(
      "auth.json",
      login("a", "1"),
      login("a", "2"),
      login("b", "2"),
    );
    expect(renewed).toBeUndefined();
    expect(other).toContain("another account");
    const [key] = await changes("auth.json", '{"OPENAI_API_KEY":"x"}', '{"OPENAI_API_KEY":"y"}');
    expect(key).toContain("another account");
  });
});
