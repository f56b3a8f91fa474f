import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import type { BrokerClient } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { makeFakeCodex } from "../support/fake-codex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 120_000 });

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
    writeFileSync(world.home.configFile, `model_verbosity = "low"\n${config}`);
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
    writeFileSync(world.home.configFile, `model_verbosity = "low"\n${config}`);
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

  test.skipIf(process.platform === "win32")(
    "when another codex is behind the script that starts it, and a turn that runs is not cut (F134)",
    async () => {
      await using dir = await makeTempDir();
      const codex = join(dir.path, "codex");
      const version = join(dir.path, "version");
      writeFileSync(version, "codex-cli 1.2.3\n");
      const script = `#!/bin/sh\nif [ "$1" = --version ]; then cat '${version}'; echo >'${version}.asked'; exit; fi\nexec '${realCodex().native}' "$@"\n`;
      writeFileSync(codex, script, { mode: 0o755 });
      await using world = await makeWorld({ codex });
      await using client = await world.connect();
      const turn = client.runTurn({ prompt: "hold: gate ;; say: finished" });
      await eventually(() => world.model.requests.inFlight === 1, "the turn runs", 60_000);
      await eventually(() => existsSync(`${version}.asked`), "the version is known", 60_000);
      // Half of an update reports nothing, which proves nothing.
      writeFileSync(version, "");
      expect(await epochNow(world)).toBe(1);
      writeFileSync(version, "codex-cli 1.3.0\n");
      await eventually(() => client.epoch === 2, "the client has moved", 60_000);
      expect(await epochNow(world)).toBe(2);
      world.model.release("gate");
      expect(await turn.result).toMatchObject({ status: "completed", message: "finished" });
    },
  );

  test("a running turn is not cut by it, and codex itself does not cause it", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    for (let i = 0; i < 3; i += 1) await client.runTurn({ prompt: `shell: echo ${i}` }).result;
    expect(await epochNow(world)).toBe(1);
  });
});

/** A git repository with a broker whose app-server has written the trust in it. */
async function trustingWorld(): Promise<{ world: World; client: BrokerClient }> {
  const world = await makeWorld({ config: { trusted: [] } });
  execFileSync("git", ["init", "-q", world.workspace]);
  const client = await world.connect();
  await client.request("thread/start", { cwd: world.workspace, sandbox: "workspace-write" });
  return { world, client };
}

describe("what Codex writes into config.toml by itself replaces no broker", () => {
  test("first threads in new projects of one CODEX_HOME replace none of their brokers (F104)", async () => {
    await using world = await makeWorld({ config: { trusted: [] } });
    const workspaces = ["a", "b", "c", "d"].map((name) => join(world.workspace, name));
    const clients: BrokerClient[] = [];
    for (const cwd of workspaces) {
      mkdirSync(cwd);
      execFileSync("git", ["init", "-q", cwd]);
      const client = await world.connect({ cwd });
      clients.push(client);
      const turn = client.runTurn({ prompt: "say: done", cwd, sandbox: "workspace-write" });
      expect(await turn.result).toMatchObject({ status: "completed" });
    }
    const config = readFileSync(world.home.configFile, "utf8");
    for (const [index, cwd] of workspaces.entries()) {
      expect(config).toContain(`[projects.${JSON.stringify(cwd)}]`);
      await using again = await world.connect({ cwd });
      expect(again.epoch).toBe(1);
      expect(clients[index]!.epoch).toBe(1);
      clients[index]!.close();
    }
    expect(livingBrokers(world.stateDir)).toHaveLength(4);
  });

  test("entries of other projects, notices and remarks start no new epoch (F104)", async () => {
    await using world = await makeWorld();
    await using client = await world.connect();
    for (let i = 0; i < 13; i += 1) {
      const entry = `\n# ${i}\n[projects."/elsewhere/${i}"]\ntrust_level = "trusted"\n`;
      appendFileSync(world.home.configFile, entry);
      expect(await epochNow(world)).toBe(1);
    }
    appendFileSync(world.home.configFile, "\n[notice]\nhide_full_access_warning = true\n");
    expect(await epochNow(world)).toBe(1);
    expect(client.epoch).toBe(1);
  });

  test("a trust in the workspace that another program has written replaces it, once (F104)", async () => {
    await using world = await makeWorld({ config: { trusted: [] } });
    expect(await epochNow(world)).toBe(1);
    const entry = `\n[projects.${JSON.stringify(world.workspace)}]\ntrust_level = "trusted"\n`;
    appendFileSync(world.home.configFile, entry);
    expect(await epochNow(world)).toBe(2);
    expect(await epochNow(world)).toBe(2);
  });

  test("a trust that its own app-server has written and another program takes back replaces it (F104)", async () => {
    const { world, client } = await trustingWorld();
    await using _world = world;
    await using _client = client;
    expect(await epochNow(world)).toBe(1);
    const config = readFileSync(world.home.configFile, "utf8");
    writeFileSync(world.home.configFile, config.replace('"trusted"', '"untrusted"'));
    expect(await epochNow(world)).toBe(2);
  });
});

describe("a file that is just being written proves nothing", () => {
  test("an auth.json or config.toml that is cut off and then complete again replaces no broker (F132, F104)", async () => {
    await using world = await makeWorld();
    const auth = join(world.home.path, "auth.json");
    const login = JSON.stringify({ tokens: { account_id: "one", access_token: "a" } });
    writeFileSync(auth, login);
    const config = readFileSync(world.home.configFile, "utf8");
    await using client = await world.connect();
    for (const partial of ["", login.slice(0, 20)]) {
      writeFileSync(auth, partial);
      expect(await epochNow(world)).toBe(1);
      writeFileSync(auth, login);
      expect(await epochNow(world)).toBe(1);
    }
    for (const partial of ["", `${config}\n[half`]) {
      writeFileSync(world.home.configFile, partial);
      expect(await epochNow(world)).toBe(1);
      writeFileSync(world.home.configFile, config);
      expect(await epochNow(world)).toBe(1);
    }
    expect(client.epoch).toBe(1);
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
