import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

async function epochNow(world: World): Promise<number> {
  const client = await world.connect();
  client.close();
  return client.epoch;
}

describe("a broker that was started under other circumstances is replaced", () => {
  test("F70: when config.toml has changed, once", async () => {
    await using world = await makeWorld();
    expect(await epochNow(world)).toBe(1);
    const config = readFileSync(world.home.configFile, "utf8");
    writeFileSync(world.home.configFile, `${config}\n# a remark\n`);
    expect(await epochNow(world)).toBe(2);
    expect(await epochNow(world)).toBe(2);
  });

  test("F67: when another account is logged in, but not when its tokens were renewed", async () => {
    await using world = await makeWorld();
    const logIn = (account: string, token: string): void =>
      writeFileSync(
        join(world.home.path, "auth.json"),
        JSON.stringify({ tokens: { account_id: account, access_token: token } }),
      );
    logIn("one", "a");
    expect(await epochNow(world)).toBe(1);
    logIn("one", "b");
    expect(await epochNow(world)).toBe(1);
    logIn("other", "b");
    expect(await epochNow(world)).toBe(2);
  });

  test("F67 F70: also under a client that holds its connection, which goes on with the successor", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    const { threadId } = await client.runTurn({ prompt: "say: one" }).result;
    const config = readFileSync(world.home.configFile, "utf8");
    writeFileSync(world.home.configFile, `${config}\n# a remark\n`);
    await eventually(() => client.epoch === 2, "the client has moved", 20_000);
    const { message } = await client.runTurn({ threadId, prompt: "say: two" }).result;
    expect(message).toBe("two");
    writeFileSync(
      join(world.home.path, "auth.json"),
      JSON.stringify({ tokens: { account_id: "another", access_token: "x" } }),
    );
    await eventually(() => client.epoch === 3, "the client has moved again", 20_000);
  });

  test("F66: two CODEX_HOMEs have two brokers, and neither replaces the other", async () => {
    await using world = await makeWorld();
    await using other = await makeWorld();
    const elsewhere = { ...world.env, CODEX_HOME: other.home.path };
    const one = await world.connect();
    const two = await world.connect({ env: elsewhere });
    const again = await world.connect();
    expect(two.instance).not.toBe(one.instance);
    expect([again.instance, two.epoch]).toEqual([one.instance, 1]);
    for (const client of [one, two, again]) client.close();
  });

  test("F68: when the codex at its path is another one, and a turn that runs is not cut", async () => {
    await using dir = await makeTempDir();
    const codex = join(dir.path, "codex");
    const install = (remark: string): void => {
      const script = `#!/bin/sh\n# ${remark}\nexec '${realCodex().native}' "$@"\n`;
      writeFileSync(codex, script, { mode: 0o755 });
    };
    install("as it was installed");
    await using world = await makeWorld({ codex });
    await using client = await world.connect();
    const begun = deferred<string>();
    client.onNotification((method) => {
      if (method === "turn/started") begun.resolve(method);
    });
    const turn = client.runTurn({ prompt: "slow: 30x50ms tick" });
    await begun.promise;
    expect(await epochNow(world)).toBe(1);
    install("upgraded");
    expect(await epochNow(world)).toBe(2);
    expect(await turn.result).toMatchObject({ status: "completed" });
    expect(await epochNow(world)).toBe(2);
  });

  test("a running turn is not cut by it, and codex itself does not cause it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    for (let i = 0; i < 3; i += 1) await client.runTurn({ prompt: `shell: echo ${i}` }).result;
    expect(await epochNow(world)).toBe(1);
  });
});

describe("a broker that fails every time it is started", () => {
  test("is not started again and again: the reasons are told instead", async () => {
    await using fake = await makeFakeCodex({ exitAtStart: { code: 7, stderr: "no good\n" } });
    await using world = await makeWorld({ codex: fake.command, env: fake.env });
    for (let i = 0; i < 5; i += 1) {
      await expect(world.connect()).rejects.toMatchObject({ kind: "appServerStartFailed" });
    }
    await expect(world.connect()).rejects.toMatchObject({
      kind: "crashLoop",
      retryable: true,
      details: { count: 5 },
    });
  });
});
