import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, stop } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Deadline, monotonicMs } from "../../src/base/deadline.ts";
import { BrokerError } from "../../src/base/errors.ts";
import type * as SpawnBroker from "../../src/lifecycle/spawn-broker.ts";
import { DEFAULT_LIMITS, type StartOrder } from "../../src/lifecycle/start-protocol.ts";
import { parseStat, readStat } from "../../src/os/proc-stat.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { claimedRecord } from "./records.ts";

guardAgainstLeaks();

/** What a broker program is to do; see test/fixtures/lifecycle/broker.cjs. */
interface Plan {
  /** Where it takes down what it was given. */
  readonly notes?: string;
  readonly report?: string;
  readonly closes?: boolean;
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
}

interface Notes {
  readonly order: StartOrder;
  readonly pid: number;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stat: string;
}

const SERVING = JSON.stringify({ state: "serving", endpoint: "/state/run/x.sock" });

let programs: TempDir;
let bundle: string;
let spawnBroker: typeof SpawnBroker.spawnBroker;
let dir: TempDir;

// The code that starts a broker looks for the program above itself: so it is put beside another one.
beforeAll(async () => {
  programs = await makeTempDir();
  bundle = join(programs.path, "spawn-broker.mjs");
  const entry = fileURLToPath(new URL("../../src/lifecycle/spawn-broker.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
  });
  await stop();
  const program = fileURLToPath(new URL("../fixtures/lifecycle/broker.cjs", import.meta.url));
  copyFileSync(program, join(programs.path, "broker.cjs"));
  ({ spawnBroker } = (await import(pathToFileURL(bundle).href)) as typeof SpawnBroker);
});
afterAll(() => programs.remove());

beforeEach(async () => {
  dir = await makeTempDir();
  mkdirSync(join(dir.path, "scope"));
  writeFileSync(join(dir.path, "running"), "");
});
afterEach(() => dir.remove());

function orderOf(plan: Plan, scope: Partial<StartOrder["scope"]> = {}): StartOrder {
  const key = "0123456789abcdef".repeat(2);
  return {
    scope: {
      key,
      shortKey: key.slice(0, 12),
      workspace: "/work",
      codexHome: "/home/.codex",
      codex: "/bin/codex",
      label: JSON.stringify({ ...plan, while: join(dir.path, "running") }),
      place: { host: "host", system: null, workspace: null },
      environment: {},
      private: false,
      stateDir: dir.path,
      directory: join(dir.path, "scope"),
      ...scope,
    },
    claim: claimedRecord(),
    limits: DEFAULT_LIMITS,
  };
}

function start(order: StartOrder, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  return spawnBroker(order, Deadline.after(10_000), env);
}

async function failureOf(work: Promise<unknown>): Promise<BrokerError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (BrokerError.is(error)) return error;
  throw new Error(`not one of ours: ${String(error)}`);
}

function logText(): string {
  return readFileSync(join(dir.path, "scope", "7.log"), "utf8");
}

/** Starts one that serves, and tells what it was given. It is left running. */
async function given(env: NodeJS.ProcessEnv = process.env, scope = {}): Promise<Notes> {
  const notes = join(dir.path, "notes");
  await start(orderOf({ notes, report: SERVING }, scope), env);
  return JSON.parse(readFileSync(notes, "utf8")) as Notes;
}

describe("a broker that was started", () => {
  test("has its whole order, and no secret where others could read it", async () => {
    const { order, argv, env } = await given();
    expect(order).toEqual({
      ...orderOf({ notes: join(dir.path, "notes"), report: SERVING }),
      environment: expect.any(Object),
    });
    expect(argv.slice(2)).toEqual(["--scope=0123456789ab", "--epoch=7"]);
    expect(JSON.stringify([argv, env])).not.toContain(order.claim.token);
  });

  test("F79: stands in no workspace, and F86: writes to the log of its epoch, also what it says on its streams", async () => {
    const { cwd } = await given();
    expect(cwd).toBe(parse(process.execPath).root);
    expect(logText()).toBe("on standard output\non standard error\n");
  });

  test.skipIf(process.platform !== "linux")(
    "F58: is in a session of its own, and outlives whoever started it",
    async () => {
      const { pid, stat } = await given();
      expect(parseStat(stat)).toMatchObject({ session: pid, pgid: pid });
      expect(parseStat(stat)?.session).not.toBe(readStat(process.pid)?.session);
    },
  );

  test("inherits the environment, but not what belongs to the program that starts it", async () => {
    const { env } = await given({
      ...process.env,
      HTTPS_PROXY: "http://proxy",
      NODE_OPTIONS: "--no-warnings",
      NODE_CHANNEL_FD: "3",
      NODE_V8_COVERAGE: join(dir.path, "coverage"),
    });
    expect(env["HTTPS_PROXY"]).toBe("http://proxy");
    for (const name of ["NODE_OPTIONS", "NODE_CHANNEL_FD", "NODE_V8_COVERAGE"]) {
      expect(env).not.toHaveProperty(name);
    }
  });

  test("does not read certificates for its app-server, and is told to hand them on", async () => {
    const certificates = join(dir.path, "certificates.pem");
    const { env, order } = await given({ ...process.env, NODE_EXTRA_CA_CERTS: certificates });
    expect(env).not.toHaveProperty("NODE_EXTRA_CA_CERTS");
    expect(order.environment).toEqual({ NODE_EXTRA_CA_CERTS: certificates });

    const { NODE_EXTRA_CA_CERTS: _none, ...without } = process.env;
    expect((await given(without)).order.environment).toEqual({});
  });

  test("F66: has the CODEX_HOME of its scope, were it given as a relative path", async () => {
    const scope = { codexHome: "/home/of/the/scope" };
    expect((await given({ ...process.env, CODEX_HOME: "." }, scope)).env["CODEX_HOME"]).toBe(
      "/home/of/the/scope",
    );
    const { CODEX_HOME: _none, ...without } = process.env;
    expect((await given(without, scope)).env).not.toHaveProperty("CODEX_HOME");
  });
});

describe("a start that fails (F53)", () => {
  test("F101: is told with what the broker reported", async () => {
    const reported = new BrokerError("socketPathTooLong", "Too long.", { details: { tried: [1] } });
    const report = JSON.stringify({ state: "failed", error: reported.toJSON() });
    const error = await failureOf(start(orderOf({ report, code: 1 })));
    expect(error.toJSON()).toEqual(reported.toJSON());
  });

  test("F101: is told so though the exit is seen at the same time", async () => {
    const reported = new BrokerError("stateDirUnusable", "Full.");
    const report = JSON.stringify({ state: "failed", error: reported.toJSON() });
    const failing = failureOf(start(orderOf({ report, code: 1 })));
    // A busy event loop: the report and the exit are both there when it looks again.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    expect((await failing).kind).toBe("stateDirUnusable");
  });

  test("F59: without a word is told by its exit and its log, at once", async () => {
    const startedAt = monotonicMs();
    const error = await failureOf(start(orderOf({ code: 7 })));
    expect(error).toMatchObject({ kind: "brokerStartFailed", details: { code: 7, signal: null } });
    expect(error.message).toContain("exit code 7");
    expect(error.details["tail"]).toBe("on standard output\non standard error\n");
    expect(error.details["log"]).toBe(join(dir.path, "scope", "7.log"));
    expect(monotonicMs() - startedAt).toBeLessThan(5_000);
  });

  // Windows has no signals, and no way to tell.
  test.skipIf(ON_WINDOWS)("F52: by a signal is told by that signal", async () => {
    const error = await failureOf(start(orderOf({ signal: "SIGKILL" })));
    expect(error).toMatchObject({ details: { code: null, signal: "SIGKILL" } });
    expect(error.message).toContain("SIGKILL");
  });

  test.each(["nonsense", "null", '{"state":"failed","error":null}'])(
    "with the report %s is a failure, and no crash of whoever started it",
    async (report) => {
      expect((await failureOf(start(orderOf({ report })))).kind).toBe("brokerStartFailed");
    },
  );

  test("for want of a place for its log is told with the reason", async () => {
    const error = await failureOf(start(orderOf({}, { directory: join(dir.path, "none") })));
    expect(error).toMatchObject({ kind: "brokerStartFailed", cause: { code: "ENOENT" } });
  });

  test.skipIf(process.platform === "win32")(
    "F96: for want of descriptors is told, whichever of them was the last",
    async () => {
      const script = fileURLToPath(
        new URL("../fixtures/lifecycle/no-descriptors.mjs", import.meta.url),
      );
      const order = JSON.stringify(orderOf({ report: SERVING }));
      const args = [process.execPath, script, bundle, order];
      const child = spawn("sh", ["-c", `ulimit -n 100; exec "$0" "$@"`, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const endings = JSON.parse(await text(child.stdout)) as string[];
      expect(endings.length).toBeGreaterThan(3);
      expect(new Set(endings.slice(0, -1))).toEqual(new Set(["systemLimit"]));
      expect(endings.at(-1)).toBe("started");
    },
  );
});

describe("F02: a broker that is slow to say anything", () => {
  test.each([{}, { closes: true }])(
    "is given up at the deadline, and goes on (%j)",
    async (plan) => {
      const notes = join(dir.path, "notes");
      const order = orderOf({ notes, ...plan });
      const error = await failureOf(spawnBroker(order, Deadline.after(700), process.env));
      expect(error).toMatchObject({ kind: "brokerUnavailable", details: { epoch: 7 } });
      const { pid } = JSON.parse(readFileSync(notes, "utf8")) as Notes;
      expect(process.kill(pid, 0)).toBe(true);
      rmSync(join(dir.path, "running"));
      await eventually(() => ["Z", undefined].includes(readStat(pid)?.state), "it ends by itself");
    },
  );
});
