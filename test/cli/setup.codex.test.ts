import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, lastJson, type StartOptions } from "./program.ts";

guardAgainstLeaks();

interface Answer {
  readonly code: number | null;
  readonly ready: boolean;
  readonly states: Readonly<Record<string, string>>;
  readonly says: Readonly<Record<string, string>>;
}

async function setup(world: World, options: StartOptions = {}): Promise<Answer> {
  const { code, stdout } = await cli(world, ["setup", "--json"], options);
  const { ready, checks } = lastJson(stdout) as {
    readonly ready: boolean;
    readonly checks: ReadonlyArray<Record<"name" | "state" | "says", string>>;
  };
  return {
    code,
    ready,
    states: Object.fromEntries(checks.map(({ name, state }) => [name, state])),
    says: Object.fromEntries(checks.map(({ name, says }) => [name, says])),
  };
}

const ALL_OK = {
  node: "ok",
  codex: "ok",
  state: "ok",
  broker: "ok",
  login: "ok",
  sandbox: "ok",
};

describe("setup", () => {
  test("is ready when Codex answers for itself, with a broker that is then used", async () => {
    await using world = await makeWorld();
    expect(await setup(world)).toMatchObject({ code: 0, ready: true, states: ALL_OK });
    const { stdout } = await cli(world, ["setup"]);
    expect(stdout).toMatch(/✓ broker {3}answers · epoch 1 · was running/);
    expect(stdout).toContain('ready: codex-broker run "');
    expect(livingBrokers(world.stateDir)).toHaveLength(1);
  });

  test("says what is missing and what to type, and does not claim what it could not ask", async () => {
    await using world = await makeWorld();
    const nobody = { broker: "unknown", login: "unknown", sandbox: "unknown" };
    const codex = { CODEX_BROKER_CODEX: join(world.home.path, "no-codex") };
    expect(await setup(world, { env: codex })).toMatchObject({
      code: 6,
      ready: false,
      states: { ...ALL_OK, ...nobody, codex: "missing" },
    });
    const home = { CODEX_HOME: join(world.home.path, "no-home") };
    expect((await setup(world, { env: home })).states).toMatchObject({ codex: "missing" });
    const open = join(world.home.path, "open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    const state = await setup(world, { env: { CODEX_BROKER_STATE_DIR: open } });
    expect(state.states).toMatchObject({ ...nobody, codex: "ok", state: "missing" });
    const { stdout } = await cli(world, ["setup"], { env: codex });
    expect(stdout).toContain("→ Correct or unset CODEX_BROKER_CODEX.");
    expect(stdout).toContain("not ready");
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });

  test("F87: the login is what Codex says of it", async () => {
    await using world = await makeWorld();
    writeFileSync(world.home.configFile, 'sandbox_mode = "danger-full-access"\n');
    const out = await setup(world);
    expect(out).toMatchObject({ code: 6, states: { ...ALL_OK, login: "missing" } });
    expect(out.says["login"]).toContain("not logged in");
    writeFileSync(world.home.configFile, "x = [\n");
    const broken = await setup(world);
    expect(broken.says["login"]).toContain("cannot read its configuration");
  });

  test(
    "F13 F87: a stopped broker makes it slower, and not wrong",
    { timeout: 60_000 },
    async () => {
      await using world = await makeWorld();
      await setup(world);
      const [stopped] = livingBrokers(world.stateDir);
      process.kill(stopped!.broker.pid, "SIGSTOP");
      try {
        const began = Date.now();
        const answer = await setup(world);
        expect(Date.now() - began).toBeLessThan(45_000);
        expect(answer).toMatchObject({ code: 0, states: ALL_OK });
      } finally {
        process.kill(stopped!.broker.pid, "SIGCONT");
      }
    },
  );

  test("F87: where no broker can be had in time, nothing is said of the login", async () => {
    await using world = await makeWorld();
    await setup(world);
    const [stopped] = livingBrokers(world.stateDir);
    process.kill(stopped!.broker.pid, "SIGSTOP");
    try {
      const { code, stdout } = await cli(world, ["setup", "--json", "--start-timeout", "1"]);
      expect(code).toBe(6);
      const { checks } = lastJson(stdout) as { readonly checks: readonly object[] };
      expect(checks).toMatchObject([
        { name: "node" },
        { name: "codex" },
        { name: "state" },
        { name: "broker", state: "missing" },
        { name: "login", state: "unknown" },
        { name: "sandbox", state: "unknown" },
      ]);
    } finally {
      process.kill(stopped!.broker.pid, "SIGCONT");
    }
  });
});
