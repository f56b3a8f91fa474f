import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { listEpochs, readEpoch } from "../../src/lifecycle/epoch-file.ts";
import { formatDirectory } from "../../src/lifecycle/state-directory.ts";
import { thisKernel } from "../../src/os/kernel/this-kernel.ts";
import { RawSession } from "../broker/raw-session.ts";
import { cli, CLI, Program } from "../cli/program.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";

guardAgainstLeaks();

/** Many programs are started one after the other, and the machine may be busy. */
const LIMIT_MS = 90_000;

const ON_LINUX = process.platform === "linux";

function scopeDirectories(world: World): string[] {
  const format = formatDirectory(world.stateDir);
  return readdirSync(format).map((key) => join(format, key));
}

/** The secret of every epoch that there has been. */
function tokens(world: World): string[] {
  return scopeDirectories(world).flatMap((directory) =>
    listEpochs(directory).flatMap((epoch) => {
      const reading = readEpoch(directory, epoch);
      return reading?.state === "read" ? [reading.record.token] : [];
    }),
  );
}

/** What any program of this user can read of a process; nothing of one that has just ended. */
function shownBy(pid: number): string {
  try {
    return ["cmdline", "environ"]
      .map((name) => readFileSync(`/proc/${pid}/${name}`, "utf8"))
      .join("\n");
  } catch {
    return "";
  }
}

function familyOf(pid: number): number[] {
  const all = thisKernel().list() ?? [];
  const children = all.filter(({ ppid }) => ppid === pid);
  return [pid, ...children.flatMap((child) => familyOf(child.pid))];
}

describe("the secret of a broker", { timeout: LIMIT_MS }, () => {
  test.skipIf(!ON_LINUX)(
    "S9: stands in no argument, no environment, no log and no output, while there is a turn and after",
    { timeout: LIMIT_MS },
    async () => {
      await using world = await makeWorld();
      const outputs: string[] = [];
      const say = async (...args: readonly string[]): Promise<void> => {
        const { stdout, stderr } = await cli(world, args, { env: { CODEX_BROKER_DEBUG: "1" } });
        expect(stdout).not.toBe("");
        outputs.push(stdout, stderr);
      };
      await say("ensure", "--json");
      await using client = await world.connect();
      const turn = client.runTurn({ prompt: "shell: sleep 600 ;; say: done" });
      turn.result.catch(() => {});
      const [record] = livingBrokers(world.stateDir);
      const family = (): number[] => familyOf(record?.broker.pid ?? 0);
      const shown = (): string[] => family().map(shownBy);
      await eventually(() => shown().some((text) => text.includes("sleep")), "the command runs");
      outputs.push(...shown());
      expect(family().length).toBeGreaterThanOrEqual(3);
      outputs.push(JSON.stringify(client.record), JSON.stringify(await client.status()));
      await say("status", "--json");
      await say("ps", "--json");
      await say("env", "--json");
      await say("call", "--json", "broker/status");
      await say("doctor", "--json");
      await say("rotate", "--json");
      turn.interrupt();
      await turn.result;
      client.close();
      await say("run", "--json", "say: hi");
      await say("stop", "--json", "--force");
      await eventually(() => livingBrokers(world.stateDir).length === 0, "all have ended");
      await say("logs", "--json");
      await say("logs", "--json", "--epoch", "1");
      await say("ps", "--json");
      const secrets = tokens(world);
      expect(secrets).toHaveLength(2);
      for (const directory of scopeDirectories(world)) {
        const logs = readdirSync(directory).filter((name) => name.endsWith(".log"));
        expect(logs).toHaveLength(2);
        for (const name of logs) outputs.push(readFileSync(join(directory, name), "utf8"));
      }
      for (const secret of secrets) {
        expect(secret.length).toBeGreaterThanOrEqual(32);
        expect(outputs.filter((text) => text.includes(secret))).toEqual([]);
      }
    },
  );

  test("F91: stands in files of this user alone, in directories of this user alone", async () => {
    await using world = await makeWorld();
    const client = await world.connect();
    await client.runTurn({ prompt: "say: hi" }).result;
    const modes = (directory: string): string[] =>
      readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
        const path = join(directory, entry.name);
        if (entry.isSymbolicLink()) return [];
        const mode = `${entry.isDirectory() ? "d" : "-"}${(lstatSync(path).mode & 0o777).toString(8)}`;
        return [mode, ...(entry.isDirectory() ? modes(path) : [])];
      });
    expect(new Set(modes(world.stateDir))).toEqual(new Set(["d700", "-600"]));
    expect(lstatSync(world.stateDir).mode & 0o777).toBe(0o700);
    await client.request("broker/stop", {});
    client.close();
    await eventually(() => livingBrokers(world.stateDir).length === 0, "it has ended");
    expect(new Set(modes(world.stateDir))).toEqual(new Set(["d700", "-600"]));
  });
});

describe("what a client says", { timeout: LIMIT_MS }, () => {
  const CONTROLS = ["\u001b", "\u009b", "\u202e", "\r"];
  const EVIL = 'evil\n{"level":60}\r\u001b[2J\u009b31m\u202e\'; touch /tmp/x; $(touch x) ../../..';

  test("reaches the log as one line, the terminal escaped, and no path and no shell", async () => {
    await using world = await makeWorld();
    const label = `../../${EVIL}`;
    await using client = await world.connect({ label });
    await using raw = await RawSession.open(client.record.endpoint);
    await raw.ask("initialize", { clientInfo: { name: EVIL, title: EVIL, version: EVIL } });
    await raw.ask(EVIL, { threadId: EVIL, cwd: EVIL });
    await raw.ask("turn/interrupt", { threadId: EVIL, turnId: EVIL });
    await raw.ask("broker/turns", { [EVIL]: EVIL });
    raw.send({ method: EVIL, params: {} });
    raw.send({ id: 77, result: EVIL });
    await raw.ask("thread/start", { cwd: world.workspace, config: { [EVIL]: EVIL } });
    const { stdout } = await cli(world, ["status", "--label", label], {
      env: { FORCE_COLOR: "0" },
    });
    expect(stdout).toContain("evil");
    for (const line of stdout.split("\n")) expect(line).not.toMatch(/^\{"level":60/);
    expect(CONTROLS.filter((control) => stdout.includes(control))).toEqual([]);
    raw.socket.destroy();
    await client.request("broker/stop", {});
    await client.closed;
    const names = scopeDirectories(world).map((directory) => directory.split("/").at(-1));
    expect(names).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    for (const directory of scopeDirectories(world)) {
      const lines = readFileSync(join(directory, "1.log"), "utf8").trim().split("\n");
      expect(lines.length).toBeGreaterThan(1);
      for (const line of lines) {
        expect(line).not.toContain("\u001b");
        expect(line).not.toContain("\r");
        expect(JSON.parse(line)).toHaveProperty("time");
      }
    }
  });

  test("reaches no shell: nothing in the sources starts one", () => {
    const files = execFileSync("git", ["ls-files", "src/*.ts"], { encoding: "utf8" })
      .split("\n")
      .filter((file) => file !== "" && !file.includes("/generated/"));
    expect(files.length).toBeGreaterThan(100);
    const shells = files.filter((file) =>
      /\bshell: (?:true|process|["'`])|\b(?:execSync|exec)\(["'`]|["'`](?:\/bin\/)?(?:sh|bash|cmd\.exe)["'`], \[/.test(
        readFileSync(file, "utf8"),
      ),
    );
    expect(shells).toEqual([]);
  });
});

describe("a malicious workspace", { timeout: LIMIT_MS }, () => {
  test("brings no codex of its own, though there is no other", async () => {
    await using world = await makeWorld();
    const marker = join(world.workspace, "ran");
    const program = `#!${process.execPath}\nrequire("node:fs").writeFileSync(${JSON.stringify(marker)}, "");\n`;
    const launcher = join(world.workspace, "node_modules", "@openai", "codex", "bin", "codex.js");
    mkdirSync(dirname(launcher), { recursive: true });
    for (const file of [launcher, join(world.workspace, "codex")]) {
      writeFileSync(file, program, { mode: 0o755 });
    }
    // As installed somewhere without a codex beside it.
    const installed = join(world.home.path, "installed");
    cpSync(dirname(CLI), installed, { recursive: true });
    writeFileSync(join(installed, "package.json"), '{"type":"module"}');
    const env = {
      HOME: world.home.path,
      PATH: `.:${world.home.path}`,
      CODEX_HOME: world.home.path,
    };
    const run = new Program(
      process.execPath,
      [join(installed, "cli.cjs"), "run", "say: hi"],
      { ...env, CODEX_BROKER_STATE_DIR: world.stateDir },
      world.workspace,
    );
    run.child.stdin.end();
    const { code, stderr } = await run.ended;
    expect(stderr).toContain("Codex was not found");
    expect(code).toBe(3);
    expect(existsSync(marker)).toBe(false);
  });
});

describe("malicious model output", { timeout: LIMIT_MS }, () => {
  test.skipIf(!ON_LINUX).each(["read-only", "workspace-write"] as const)(
    "a command in Codex's own sandbox (%s) does not reach the broker",
    async (sandboxMode) => {
      await using world = await makeWorld({ config: { sandboxMode } });
      await using client = await world.connect();
      const program =
        'require("node:net").connect(process.argv[1])' +
        '.on("connect", () => process.exit(1)).on("error", (e) => console.log(e.code))';
      const command = `${process.execPath} -e '${program}' ${client.record.endpoint}`;
      const turn = client.runTurn({ prompt: `shell: ${command} ;; say: done` });
      let said: unknown;
      for await (const event of turn) {
        if (event.type !== "item.completed" || event.item.type !== "commandExecution") continue;
        said = [event.item.exitCode, event.item.aggregatedOutput?.trim()];
      }
      expect(said).toEqual([0, "EPERM"]);
    },
  );
});
