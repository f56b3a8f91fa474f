import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { codexVersionFrom, requireSupported } from "../../src/app-server/codex-version.ts";
import { startFailure } from "../../src/app-server/start-failure.ts";
import { stopAppServer } from "../../src/app-server/stop-ladder.ts";
import { requestLine } from "../../src/wire/messages.ts";
import { isRunning, readStat } from "../../src/os/proc-stat.ts";
import { stillRuns } from "../../src/os/process-tree.ts";
import { makeCodexHome, type CodexHome } from "../support/codex-home.ts";
import { at, type Json, textAt } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { type FixtureChild, spawnLines } from "./fixture-child.ts";

guardAgainstLeaks();

let dir: TempDir;
let home: CodexHome;
let model: ScriptedModel;

beforeEach(async () => {
  dir = await makeTempDir();
  model = await startScriptedModel();
  home = await makeCodexHome({ modelUrl: model.url, trusted: [dir.path] });
});

afterEach(async () => {
  await model[Symbol.asyncDispose]();
  await home.remove();
  await dir.remove();
});

function spawnCodex(codexHome: string = home.path): FixtureChild {
  return spawnLines({
    codex: realCodex().native,
    env: { ...process.env, CODEX_HOME: codexHome },
    cwd: dir.path,
  });
}

async function ask(codex: FixtureChild, id: number, method: string, params: Json): Promise<Json> {
  codex.child.send(requestLine(String(id), method, params));
  return await codex.seen(
    (message) => at(message, "id") === id && at(message, "method") === undefined,
  );
}

async function initialize(codex: FixtureChild): Promise<Json> {
  const clientInfo = { name: "test", title: null, version: "0" };
  return await ask(codex, 1, "initialize", { clientInfo, capabilities: { experimentalApi: true } });
}

test("the real codex answers, is recent enough, and ends with its stdin; nothing is left", async () => {
  const codex = spawnCodex();
  const answer = await initialize(codex);
  const version = codexVersionFrom(textAt(answer, "result.userAgent"));
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  requireSupported(version, realCodex().native);

  const report = await stopAppServer(codex.child);
  expect(report).toMatchObject({
    endedBy: "stdin",
    exit: { code: 0, signal: null },
    // Windows gives each program without a window a host for its console.
    sweep: { ...(ON_WINDOWS ? {} : { found: 0 }), left: [] },
  });
  const stat = readStat(codex.child.pid ?? 0);
  expect(stat === undefined || !isRunning(stat)).toBe(true);
});

test.skipIf(process.platform !== "linux")(
  "F18: a real codex that was killed in the middle of a command leaves nothing, MCP servers included",
  async () => {
    await home.configure({
      modelUrl: model.url,
      trusted: [dir.path],
      tables: '[mcp_servers.deaf]\ncommand = "/bin/sleep"\nargs = ["60"]\n',
    });
    const codex = spawnCodex();
    await initialize(codex);
    const started = await ask(codex, 2, "thread/start", { cwd: dir.path });
    const threadId = textAt(started, "result.thread.id");
    const script = "shell: setsid sleep 60 & (sleep 60 &) ; sleep 60";
    await ask(codex, 3, "turn/start", { threadId, input: [{ type: "text", text: script }] });
    await codex.seen((message) => at(message, "params.item.type") === "commandExecution");

    const isSleep = ({ pid }: { pid: number }): boolean => readStat(pid)?.comm === "sleep";
    let sleeping = codex.child.descendants.note().filter(isSleep);
    for (let round = 0; sleeping.length < 4 && round < 200; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      sleeping = codex.child.descendants.note().filter(isSleep);
    }
    expect(sleeping.length).toBeGreaterThanOrEqual(4);

    codex.child.kill("SIGKILL");
    await codex.child.exited;
    expect(sleeping.filter(stillRuns).length).toBeGreaterThan(0);
    const report = await stopAppServer(codex.child);
    expect(report).toMatchObject({ endedBy: "alreadyEnded", sweep: { left: [] } });
    expect(sleeping.filter(stillRuns)).toEqual([]);
  },
);

test("a CODEX_HOME that is missing or a file is told from other failures of a start", async () => {
  const file = home.configFile;
  for (const codexHome of [join(dir.path, "missing"), file]) {
    const { child } = spawnCodex(codexHome);
    const exit = await child.exited;
    const error = startFailure({ codex: realCodex().native, exit });
    expect(error).toMatchObject({ kind: "codexHomeMissing", details: { code: 1 } });
    // As Codex writes it: with the backslashes of Windows doubled.
    expect(error.message).toContain(JSON.stringify(codexHome).slice(1, -1));
  }
  mkdirSync(join(dir.path, "missing"));
});
