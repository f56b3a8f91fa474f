import { chmodSync, existsSync } from "node:fs";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import type { BrokerStatus } from "../../src/wire/broker-protocol.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { mcpServerTable } from "../support/mcp-server.ts";
import { realCodex } from "../support/real-codex.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { cli, jsonLines, lastJson, startCli } from "./program.ts";
import { noTerminal, startOnTerminal } from "./pty.ts";

guardAgainstLeaks();

// Each of them runs the command several times.
vi.setConfig({ testTimeout: 60_000 });

const FILTER = fileURLToPath(new URL("../fixtures/broker/filtering-codex.mjs", import.meta.url));
chmodSync(FILTER, 0o755);

async function begin(world: World, prompt: string): Promise<string> {
  const { code, stdout } = await cli(world, ["run", "--background", "--json", prompt]);
  expect(code).toBe(0);
  return String(lastJson(stdout)["job"]);
}

/** Whether a session of such a client hears a thread. */
async function hearsAThread(world: World, client: string): Promise<boolean> {
  const status: unknown = lastJson((await cli(world, ["status", "--json"])).stdout);
  const { sessions } = status as BrokerStatus;
  return sessions.some((each) => each.client.includes(client) && each.threads > 0);
}

describe("run --background, and jobs", () => {
  test("F28: hands the turn over, says how to get at it, and its result comes by an abbreviated id", async () => {
    await using world = await makeWorld();
    const { code, stdout } = await cli(world, ["run", "--background", "say: the result"]);
    expect(code).toBe(0);
    const id = /job (\w{8}) has begun/.exec(stdout)?.[1] ?? "";
    expect(stdout).toContain(`codex-broker jobs wait ${id}`);
    const waited = await cli(world, ["jobs", "wait", id.slice(0, 4)]);
    expect(waited).toMatchObject({ code: 0, stdout: "the result\n" });
    expect(await cli(world, ["jobs", "result"])).toMatchObject({ code: 0, stdout: "the result\n" });
    expect((await cli(world, ["jobs"])).stdout).toMatch(new RegExp(`${id} +completed`));
    expect((await cli(world, ["jobs", "show", id])).stdout).toContain("say: the result");
  });

  test("F88: is attached to while it runs, and told from its beginning", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "shell: echo early ;; slow: 30x50ms tick ;; say: the end");
    const [one, other] = await Promise.all([
      cli(world, ["jobs", "attach", id]),
      cli(world, ["jobs", "attach", id]),
    ]);
    for (const attached of [one, other]) {
      expect(attached).toMatchObject({ code: 0, stdout: "the end\n" });
      expect(attached.stderr).toContain("echo early");
    }
  });

  test("F62: is cancelled when that is confirmed; and one that has ended is left as it ended", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold");
    const cancelled = await cli(world, ["jobs", "cancel", "--json"]);
    expect(lastJson(cancelled.stdout)).toMatchObject({
      job: id,
      outcome: "cancelled",
      cancelled: true,
    });
    expect((await cli(world, ["jobs", "result", id])).code).toBe(130);
    const again = await cli(world, ["jobs", "cancel", id, "--json"]);
    expect(lastJson(again.stdout)).toMatchObject({
      job: id,
      outcome: "cancelled",
      cancelled: false,
    });
  });

  test("F101: a failure, a loss and an empty answer do not look alike", async () => {
    await using world = await makeWorld();
    const failed = await begin(world, "quota");
    const empty = await begin(world, "shell: true");
    expect((await cli(world, ["jobs", "wait", failed])).stderr).toContain("usage limit");
    expect(await cli(world, ["jobs", "wait", empty])).toMatchObject({ code: 0 });
    const lost = await begin(world, "hold");
    const [broker] = livingBrokers(world.stateDir);
    process.kill(broker!.broker.pid, "SIGKILL");
    const { code, stderr } = await cli(world, ["jobs", "wait", lost]);
    expect(code).toBe(4);
    expect(stderr).toContain("was lost");
    expect(stderr).toContain("run --resume");
  });

  test("F87: nobody can say how one does whose broker does not answer", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold");
    const [broker] = livingBrokers(world.stateDir);
    process.kill(broker!.broker.pid, "SIGSTOP");
    try {
      const { code, stderr } = await cli(world, ["jobs", "result", id]);
      expect({ code, stderr }).toMatchObject({ code: 3 });
      expect(stderr).toContain("does not answer");
    } finally {
      process.kill(broker!.broker.pid, "SIGCONT");
    }
  });

  test("says what is wrong with what it was given", async () => {
    await using world = await makeWorld();
    for (const [args, words] of [
      [["jobs", "nonsense"], "There is no `jobs nonsense`"],
      [["jobs", "show"], "no such job"],
      [["jobs", "show", "zzz"], "There is no job zzz"],
      [["jobs", "show", "../x"], "is no job's id"],
    ] as const) {
      const { code, stderr } = await cli(world, args);
      expect([args, code]).toEqual([args, 2]);
      expect(stderr).toContain(words);
    }
    expect(livingBrokers(world.stateDir)).toEqual([]);
  });
});

describe("what a job may do", () => {
  const quiet = {
    approvalPolicy: "never",
    sandboxMode: "workspace-write",
    tables: mcpServerTable("notes"),
  } as const;
  const asking = { approvalPolicy: "on-request", sandboxMode: "workspace-write" } as const;
  const NOTE = 'tool: note {"text":"kept"}';

  test("S11: is what was allowed with it, by option or by environment, when nobody is there", async () => {
    await using world = await makeWorld({ config: quiet });
    const declined = await begin(world, NOTE);
    const { code, stdout } = await cli(world, ["run", "--background", "--json", NOTE], {
      env: { CODEX_BROKER_ALLOW_MCP: "notes/note" },
    });
    expect(code).toBe(0);
    const allowed = String(lastJson(stdout)["job"]);
    expect((await cli(world, ["jobs", "wait", declined])).stdout).not.toContain("noted: kept");
    expect((await cli(world, ["jobs", "wait", allowed])).stdout).toContain("noted: kept");
    const journal = await cli(world, ["jobs", "logs", allowed, "--json"]);
    expect(jsonLines(journal.stdout)).toContainEqual(
      expect.objectContaining({ type: "allowed", method: "mcpServer/elicitation/request" }),
    );
    expect((await cli(world, ["jobs", "logs", allowed])).stdout).toMatch(
      / allowed +answer the MCP/,
    );
  });

  test("a policy file is applied to its commands and to no others", async () => {
    await using world = await makeWorld({ config: asking });
    const file = join(world.workspace, "policy.json");
    const allow = [{ kind: "command", command: ["touch", "allowed"] }];
    await writeFile(file, JSON.stringify({ allow }));
    const prompt = "shell-ask: touch allowed ;; shell-ask: touch forbidden ;; say: done";
    const args = ["run", "--background", "--json", "--policy", file, prompt];
    const job = String(lastJson((await cli(world, args)).stdout)["job"]);
    expect(await cli(world, ["jobs", "wait", job])).toMatchObject({ code: 0, stdout: "done\n" });
    expect(existsSync(join(world.workspace, "allowed"))).toBe(true);
    expect(existsSync(join(world.workspace, "forbidden"))).toBe(false);
  });

  test.skipIf(noTerminal !== undefined)(
    "F65: whoever attaches at a terminal is asked, and may allow it",
    async () => {
      await using world = await makeWorld({ config: asking });
      const job = await begin(world, "hold: gate ;; shell-ask: touch answered ;; say: done");
      const program = startOnTerminal(world, ["jobs", "attach", job], { columns: 100 });
      // What it shows may stand in the journal; whoever is not heard yet is not asked either.
      await eventually(async () => await hearsAThread(world, "jobs attach"), "it is attached");
      world.model.release("gate");
      await program.shows(/\? a accept once/, "stdout");
      program.child.stdin.write("a");
      const { code, stdout } = await program.ended;
      expect(code).toBe(0);
      expect(stdout).toContain("accepted: run touch answered");
      expect(existsSync(join(world.workspace, "answered"))).toBe(true);
    },
  );

  test.each([["--approve", "all"], ["--queue"], ["--ephemeral"], ["--private"]])(
    "%s is refused with it, and never left out silently",
    async (...option) => {
      await using world = await makeWorld();
      const { code, stderr } = await cli(world, ["run", "--background", ...option, "say: no"]);
      expect(code).toBe(2);
      expect(stderr).toContain(`${option.join(" ")} does not go with --background`);
      expect(livingBrokers(world.stateDir)).toEqual([]);
    },
  );
});

describe("jobs logs and attach", () => {
  const STORY = "shell: echo first ;; shell: echo second ;; slow: 20x50ms tick ;; say: the end";

  test("F88: logs is the journal, numbered, and followed to its end", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "shell: echo first ;; hold: gate ;; say: the end");
    const following = startCli(world, ["jobs", "logs", "-f", id]);
    await following.shows(/running +echo first: exit 0/, "stdout");
    world.model.release("gate");
    const { code, stdout } = await following.ended;
    expect(code).toBe(0);
    const words = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/).slice(1, 3).join(" "));
    expect(words).toEqual([
      "1 asked",
      "2 began",
      expect.stringMatching(/^3 /),
      "4 running",
      "5 message",
      "6 usage",
      "7 ended",
    ]);
    const from = await cli(world, ["jobs", "logs", id, "--json", "--from", "5"]);
    expect(jsonLines(from.stdout).map(({ entry, type }) => [entry, type])).toEqual([
      [5, "item"],
      [6, "usage"],
      [7, "ended"],
    ]);
  });

  test("F88: several attach from any entry; each hears everything from there on, once", async () => {
    await using world = await makeWorld();
    const id = await begin(world, `hold: gate ;; ${STORY}`);
    const programs = [1, 4, 5].map((from) =>
      startCli(world, ["jobs", "attach", id, "--json", "--from", String(from)]),
    );
    await programs[0]!.shows(/"thread.started"/, "stdout");
    world.model.release("gate");
    const whole = jsonLines((await cli(world, ["jobs", "attach", id, "--json"])).stdout);
    const numbered = (lines: typeof whole, from: number): unknown[] =>
      lines.filter(({ entry }) => Number(entry) >= from).map(({ entry, type }) => [entry, type]);
    for (const [index, from] of [1, 4, 5].entries()) {
      const { code, stdout } = await programs[index]!.ended;
      expect(code).toBe(0);
      const lines = jsonLines(stdout);
      expect(numbered(lines, 1)).toEqual(numbered(whole, from));
      expect(lines.at(-1)).toMatchObject({ job: id, state: "completed", message: "the end" });
    }
    // What was going on meanwhile is told too, without a number.
    expect(jsonLines(programs[0]!.stdout)).toContainEqual(
      expect.objectContaining({ type: "message.delta", delta: "tick 1 " }),
    );
  });

  test("F29 F88: a job in an older epoch is listed, heard live and cancelled there", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold: gate ;; shell: echo heard ;; hold: never");
    expect((await cli(world, ["rotate"])).code).toBe(0);
    expect((await cli(world, ["jobs"])).stdout).toMatch(new RegExp(`${id} +running`));
    const attached = startCli(world, ["jobs", "attach", id]);
    await attached.shows(/codex-broker: thread/);
    world.model.release("gate");
    await attached.shows(/exit 0.*: echo heard/);
    expect(attached.stderr).not.toContain("cannot be heard live");
    const { stdout } = await cli(world, ["jobs", "cancel", id, "--json"]);
    expect(lastJson(stdout)).toEqual({
      job: id,
      outcome: "cancelled",
      cancelled: true,
      stillRunning: false,
      escalated: false,
    });
    expect((await attached.ended).code).toBe(130);
  });

  test("F54 F88: whoever is attached hears of it when the broker is killed", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold");
    const attached = startCli(world, ["jobs", "attach", id]);
    const following = startCli(world, ["jobs", "logs", "-f", id]);
    await attached.shows(/codex-broker: thread/);
    await following.shows(/began/, "stdout");
    process.kill(livingBrokers(world.stateDir)[0]!.broker.pid, "SIGKILL");
    expect(await attached.ended).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("was lost") as string,
    });
    expect(await following.ended).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("was lost") as string,
    });
  });

  test("Ctrl-C leaves the job running, and says so", async () => {
    await using world = await makeWorld();
    const id = await begin(world, "hold: gate ;; say: still here");
    const attached = startCli(world, ["jobs", "attach", id]);
    await attached.shows(/codex-broker: thread/);
    attached.child.kill("SIGINT");
    const { code, stderr } = await attached.ended;
    expect(code).toBe(130);
    expect(stderr).toContain(`job ${id} goes on`);
    world.model.release("gate");
    expect((await cli(world, ["jobs", "wait", id])).stdout).toBe("still here\n");
  });
});

test("F56 F57 F61: clean removes what has ended, sets aside what is damaged, and leaves what runs", async () => {
  await using world = await makeWorld();
  const running = await begin(world, "hold: gate ;; say: still here");
  const ended = await begin(world, "say: done");
  expect((await cli(world, ["jobs", "wait", ended])).code).toBe(0);
  const directory = join(resolveScope({ cwd: world.workspace, env: world.env }).directory, "jobs");
  const damaged = join(directory, "bbbbbbbb.jsonl");
  await writeFile(damaged, "garbage");
  await utimes(damaged, 1, 1);
  const unread = await cli(world, ["jobs", "logs", "bbbb"]);
  expect([unread.code, unread.stderr]).toEqual([3, expect.stringContaining("jobs clean")]);
  const aside = join(directory, "bbbbbbbb.damaged");
  const { stdout } = await cli(world, ["jobs", "clean", "--json"]);
  expect(lastJson(stdout)).toEqual({ removed: [ended], setAside: [aside] });
  const listed = (await cli(world, ["jobs"])).stdout;
  expect(listed).toContain(aside);
  expect(listed).toMatch(new RegExp(`${running} +running`));
  world.model.release("gate");
  expect((await cli(world, ["jobs", "wait", running])).stdout).toBe("still here\n");
});

test("F62 F64: cancel says that a job goes on, what is done about it, and when it has ended", async () => {
  await using world = await makeWorld({
    codex: FILTER,
    env: { FILTER_CODEX: realCodex().native, FILTER_DEAF: "turn/interrupt" },
  });
  const id = await begin(world, "hold");
  const other = startCli(world, ["run", "hold: gate ;; say: not cut"]);
  await eventually(() => world.model.requests.total === 2, "both are running");
  const first = await cli(world, ["jobs", "cancel", id, "--json", "--timeout", "15"]);
  expect(first.code).toBe(5);
  expect(lastJson(first.stdout)).toEqual({
    job: id,
    outcome: null,
    cancelled: false,
    stillRunning: true,
    escalated: true,
  });
  const second = startCli(world, ["jobs", "cancel", id]);
  await second.shows(/goes on after two interrupts.*when its 1 other turn/);
  world.model.release("gate");
  expect(await other.ended).toMatchObject({ code: 0, stdout: "not cut\n" });
  expect(await second.ended).toMatchObject({
    code: 0,
    stdout: `job ${id} has ended: cancelled, with its app-server\n`,
  });
  expect(livingBrokers(world.stateDir).filter(({ epoch }) => epoch === 1)).toEqual([]);
});

describe("jobs resume", () => {
  test("F54: goes on with the thread of a job that was lost, in a new job, and says which", async () => {
    await using world = await makeWorld();
    const lost = await begin(world, "hold");
    process.kill(livingBrokers(world.stateDir)[0]!.broker.pid, "SIGKILL");
    expect((await cli(world, ["jobs", "wait", lost])).code).toBe(4);
    const { code, stdout, stderr } = await cli(world, ["jobs", "resume", "say:", "on we go"]);
    expect(code).toBe(0);
    expect(stderr).toContain(`job ${lost}`);
    const [, next = "", thread = ""] =
      /job (\w{8}) goes on with thread (\S+) of/.exec(stdout) ?? [];
    expect(await cli(world, ["jobs", "wait", next])).toMatchObject({ stdout: "on we go\n" });
    const shown = lastJson((await cli(world, ["jobs", "show", lost, "--json"])).stdout);
    expect(shown).toMatchObject({ state: "lost", threadId: thread });
    const attached = await cli(world, ["jobs", "resume", next, "--attach", "say: to the end"]);
    expect(attached).toMatchObject({ code: 0, stdout: "to the end\n" });
    expect(attached.stderr).toContain(`thread ${thread} of job ${next}`);
  });

  test("is refused while the job runs, and after its end when nothing is asked", async () => {
    await using world = await makeWorld();
    const running = await begin(world, "hold: gate");
    const busy = await cli(world, ["jobs", "resume", running, "say: x"]);
    expect(busy.stderr).toContain("has not ended");
    expect(busy.stderr).toContain(`jobs attach ${running}`);
    world.model.release("gate");
    await cli(world, ["jobs", "wait", running]);
    expect(await cli(world, ["jobs", "resume", running])).toMatchObject({ code: 2 });
  });
});

describe("jobs list", () => {
  test("has those of the workspace, whatever label or environment they were begun with; --all has everyone's", async () => {
    await using world = await makeWorld();
    const elsewhere = join(world.workspace, "..", "other");
    await mkdir(elsewhere);
    const here = await begin(world, "say: here");
    const labelled = await cli(world, ["run", "--background", "--json", "--label", "x", "say: x"]);
    const there = await cli(world, ["run", "--background", "--json", "say: there"], {
      cwd: elsewhere,
    });
    const ids = [labelled, there].map(({ stdout }) => String(lastJson(stdout)["job"]));
    for (const id of [here, ...ids]) expect((await cli(world, ["jobs", "wait", id])).code).toBe(0);
    const list = async (...options: string[]): Promise<unknown[]> => {
      const { stdout } = await cli(world, ["jobs", "list", "--json", ...options]);
      return (lastJson(stdout)["jobs"] as Array<{ job: string }>).map(({ job }) => job);
    };
    expect(await list()).toEqual([ids[0], here]);
    expect(await list("--all")).toEqual([ids[1], ids[0], here]);
    const shown = (await cli(world, ["jobs", "--all"])).stdout;
    expect(shown).toMatch(new RegExp(`${String(ids[1])} +completed.*other`));
    // Without an id the newest of this workspace is meant, and named.
    const result = await cli(world, ["jobs", "result"]);
    expect(result).toMatchObject({ code: 0, stdout: "x\n" });
    expect(result.stderr).toContain(`job ${String(ids[0])}: say: x`);
  });
});

test("F101: what a job failed of is told apart, by code and by kind", async () => {
  await using world = await makeWorld();
  const kinds: Record<string, unknown> = {
    "say: fine": [0, undefined, undefined],
    "shell: true": [0, undefined, undefined],
    quota: [1, "turnFailed", "usageLimitExceeded"],
    "fail: no more": [1, "turnFailed", "other"],
    "http: 500": [1, "turnFailed", expect.anything()],
    drop: [1, "turnFailed", expect.anything()],
  };
  const jobs = await Promise.all(Object.keys(kinds).map((prompt) => begin(world, prompt)));
  for (const [index, expected] of Object.values(kinds).entries()) {
    const { code, stdout } = await cli(world, ["jobs", "wait", jobs[index]!, "--json"]);
    const { error } = lastJson(stdout) as {
      error?: { kind: string; details: { codexErrorInfo: unknown } };
    };
    expect([code, error?.kind, error?.details.codexErrorInfo]).toEqual(expected);
  }
});
