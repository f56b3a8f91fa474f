import { writeFile } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type CodexHome, makeCodexHome } from "./codex-home.ts";
import { type Json, at, textAt } from "./json.ts";
import { guardAgainstLeaks } from "./leak-guard.ts";
import { realCodex } from "./real-codex.ts";
import { type ScriptedModel, startScriptedModel } from "./scripted-model.ts";
import { StdioClient } from "./stdio-client.ts";
import { type TempDir, makeTempDir } from "./temp-dir.ts";

describe("a private codex home, read by the real codex", () => {
  guardAgainstLeaks();

  let model: ScriptedModel;
  let work: TempDir;
  let home: CodexHome;
  beforeAll(async () => {
    model = await startScriptedModel();
    work = await makeTempDir();
    home = await makeCodexHome({ modelUrl: model.url });
  });
  afterAll(async () => {
    await home.remove();
    await work.remove();
    await model.close();
  });

  const open = async (): Promise<StdioClient> => {
    const client = new StdioClient({
      command: realCodex().native,
      env: { CODEX_HOME: home.path },
      cwd: work.path,
    });
    await client.initialize();
    return client;
  };

  const config = async (client: StdioClient): Promise<Json | undefined> =>
    at(await client.request("config/read", { cwd: work.path }), "config");

  test("is what codex then goes by, with what was added", async () => {
    await home.configure({
      modelUrl: model.url,
      approvalPolicy: "on-request",
      sandboxMode: "read-only",
      trusted: [work.path],
      settings: { model_reasoning_effort: "low" },
      tables: '[history]\npersistence = "none"',
    });
    await using client = await open();
    expect(await config(client)).toMatchObject({
      model: "mock-model",
      model_provider: "mock",
      approval_policy: "on-request",
      sandbox_mode: "read-only",
      model_reasoning_effort: "low",
      history: { persistence: "none" },
      projects: { [work.path]: { trust_level: "trusted" } },
    });
  });

  test("can set how long an idle thread stays in memory when all have left it", async () => {
    await home.configure({ modelUrl: model.url, settings: { thread_unload_delay_secs: 1 } });
    await using client = await open();
    const threadId = textAt(await client.request("thread/start", { cwd: work.path }), "thread.id");
    await client.request("thread/unsubscribe", { threadId });
    const closed = await client.nextOf("thread/closed");
    expect(closed["params"]).toEqual({ threadId });
  });

  test("can be broken and mended under a running codex", async () => {
    await writeFile(home.configFile, "no toml [");
    await using client = await open();
    expect((await client.ask("thread/start", { cwd: work.path }))["error"]).toMatchObject({
      code: -32600,
      message: expect.stringContaining("failed to load configuration"),
    });
    await home.configure({ modelUrl: model.url });
    await client.request("thread/start", { cwd: work.path });
  });

  test("with a policy that codex has given up ends it at the start", async () => {
    await home.configure({ modelUrl: model.url, settings: { approval_policy: "untrusted" } });
    await expect(open()).rejects.toThrow('approval_policy = "untrusted" is no longer supported');
  });
});
