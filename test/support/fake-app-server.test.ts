import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  FAKE_APP_SERVER,
  type FakeBehaviour,
  type FakeCodex,
  type FakeEnd,
  makeFakeCodex,
} from "./fake-codex.ts";
import { type Json, at, textAt } from "./json.ts";
import { guardAgainstLeaks } from "./leak-guard.ts";
import { type Exit, StdioClient } from "./stdio-client.ts";
import { type TempDir, makeTempDir } from "./temp-dir.ts";

/** Long enough for the fake to answer, short enough to wait for its silence. */
const SILENCE_MS = 300;

const SERVER_REQUESTS = [
  "item/commandExecution/requestApproval",
  "item/fileChange/requestApproval",
  "item/permissions/requestApproval",
  "item/tool/requestUserInput",
  "item/tool/call",
  "mcpServer/elicitation/request",
  "currentTime/read",
  "applyPatchApproval",
  "execCommandApproval",
  "account/chatgptAuthTokens/refresh",
  "attestation/generate",
];

describe("the fake app-server", () => {
  guardAgainstLeaks();

  let home: TempDir;
  beforeAll(async () => {
    home = await makeTempDir();
  });
  afterAll(async () => {
    await home.remove();
  });

  const open = (fake: FakeCodex): StdioClient =>
    new StdioClient({
      command: fake.command,
      env: { ...fake.env, CODEX_HOME: home.path },
      cwd: home.path,
    });

  /** Runs a client against one start with that behaviour. */
  const against = async (
    behaviour: FakeBehaviour,
    act: (client: StdioClient, fake: FakeCodex) => Promise<void>,
  ): Promise<void> => {
    await using fake = await makeFakeCodex(behaviour);
    await using client = open(fake);
    await act(client, fake);
  };

  const start = async (
    client: StdioClient,
    prompt: string,
  ): Promise<{ threadId: string; turnId: string }> => {
    const threadId = textAt(await client.request("thread/start", {}), "thread.id");
    const input = [{ type: "text", text: prompt }];
    const turnId = textAt(await client.request("turn/start", { threadId, input }), "turn.id");
    return { threadId, turnId };
  };

  const completed = async (client: StdioClient): Promise<Json | undefined> =>
    at(await client.nextOf("turn/completed"), "params.turn");

  const silent = async (waiting: Promise<unknown>): Promise<void> => {
    await expect(waiting).rejects.toThrow(`within ${SILENCE_MS} ms`);
  };

  describe("starts", () => {
    test("as many times badly as the plan says", async () => {
      const locked: FakeBehaviour = {
        exitAtStart: { code: 1, stderr: "Error: failed to initialize sqlite state runtime\n" },
      };
      await using fake = await makeFakeCodex(locked, locked, {});
      for (let attempt = 1; attempt <= 2; attempt += 1) {
        await using client = open(fake);
        expect(await client.ended()).toEqual({ code: 1, signal: null });
        await expect(client.initialize()).rejects.toThrow(
          "failed to initialize sqlite state runtime",
        );
      }
      await using client = open(fake);
      await client.initialize();
      expect((await fake.notes()).filter((note) => "argv" in note)).toMatchObject([
        { start: 1, argv: ["app-server"] },
        { start: 2 },
        { start: 3, pid: client.pid },
      ]);
    });

    test("with an old version, which --version says too", async () => {
      const run = promisify(execFile);
      await using fake = await makeFakeCodex({ version: "0.98.0" });
      const { stdout } = await run(fake.command, ["--version"], {
        env: { ...process.env, ...fake.env },
      });
      expect(stdout).toBe("codex-cli 0.98.0\n");
      await using client = open(fake);
      expect(textAt(await client.initialize(), "userAgent")).toMatch(/^test\/0\.98\.0 /);
      expect((await run(FAKE_APP_SERVER, ["--version"])).stdout).toBe("codex-cli 0.169.0\n");
    });

    test("with noise, and goes on with noise before answers", async () => {
      const noise = ["Welcome!", "\u001B[31mred\u001B[0m", "{broken"];
      await against({ noise, noiseBeforeAnswers: ["again"] }, async (client) => {
        await client.initialize();
        expect(client.lines.slice(0, 5)).toEqual([
          ...noise,
          "again",
          expect.stringContaining("userAgent"),
        ]);
      });
    });

    test("not at all when the plan has an unknown word", async () => {
      await against({ nose: true } as FakeBehaviour, async (client) => {
        expect(await client.ended()).toMatchObject({ code: 1 });
        expect(client.stderr).toContain("the plan knows no nose");
      });
    });
  });

  describe("silences", () => {
    test("initialize is never answered", async () => {
      await against({ mute: ["initialize"] }, async (client) => {
        client.send({ id: "a", method: "initialize", params: {} });
        await silent(client.next(({ id }) => id === "a", "an answer", SILENCE_MS));
      });
    });

    test("nothing is said after so many requests", async () => {
      await against({ muteAfter: 2 }, async (client) => {
        await client.initialize();
        await client.request("account/read");
        client.send({ id: "a", method: "account/read", params: {} });
        await silent(client.next(({ id }) => id === "a", "an answer", SILENCE_MS));
      });
    });

    test("an answer is late", async () => {
      await against({ delayMs: { "account/read": 200 } }, async (client) => {
        await client.initialize();
        const before = performance.now();
        await client.request("account/read");
        expect(performance.now() - before).toBeGreaterThan(180);
      });
    });
  });

  describe("deaths", () => {
    test.each<[FakeEnd, Exit]>([
      [{ code: 0 }, { code: 0, signal: null }],
      [{ code: 3 }, { code: 3, signal: null }],
      [{ signal: "SIGKILL" }, { code: null, signal: "SIGKILL" }],
      [{ signal: "SIGTERM" }, { code: null, signal: "SIGTERM" }],
    ])("when a method arrives, with %j", async (how, exit) => {
      await against({ die: { on: "turn/start", ...how } }, async (client, fake) => {
        await client.initialize();
        await expect(start(client, "say: hi")).rejects.toThrow("the child ended");
        expect(await client.ended()).toEqual(exit);
        expect((await fake.notes()).at(-1)).toMatchObject({ ended: how.signal ?? how.code });
      });
    });

    test("some time after turn/start", async () => {
      await against({ die: { on: "turn/start", afterMs: 50, code: 1 } }, async (client) => {
        await client.initialize();
        await start(client, "slow: 100x20ms tick");
        await client.nextOf("item/agentMessage/delta");
        await expect(completed(client)).rejects.toThrow("code 1");
      });
    });

    test("in the middle of a turn", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, "say: last words ;; die: SIGSEGV");
        await client.nextOf("item/agentMessage/delta");
        expect(await client.ended()).toEqual({ code: null, signal: "SIGSEGV" });
      });
    });

    test("not by what it ignores", async () => {
      await against({ ignores: ["EOF", "SIGTERM"] }, async (client) => {
        await client.initialize();
        client.kill("SIGTERM");
        await client.request("account/read");
        client.endInput();
        await expect(client.ended(SILENCE_MS)).rejects.toThrow("did not end");
      });
    });

    test.each(["same-group", "own-group"] as const)(
      "with a descendant in the %s that holds standard output",
      async (descendant) => {
        await against({ descendant }, async (client, fake) => {
          await client.initialize();
          client.endInput();
          expect(await client.ended()).toEqual({ code: 0, signal: null });
          const pid = Number(
            (await fake.notes()).find((note) => "descendant" in note)?.["descendant"],
          );
          // It is there: a signal reaches it. It must not outlive this test.
          expect(process.kill(pid, "SIGKILL")).toBe(true);
        });
      },
    );
  });

  describe("odd answers", () => {
    test("an overload, so many times", async () => {
      const error = { code: -32001, message: "Server overloaded; retry later." };
      await against({ answers: { "account/read": { error, times: 2 } } }, async (client) => {
        await client.initialize();
        expect((await client.ask("account/read"))["error"]).toEqual(error);
        expect((await client.ask("account/read"))["error"]).toEqual(error);
        expect(await client.request("account/read")).toHaveProperty("account");
      });
    });

    test("a turn without an id", async () => {
      await against({ answers: { "turn/start": { result: { turn: {} } } } }, async (client) => {
        await client.initialize();
        await expect(start(client, "say: hi")).rejects.toThrow("no text at turn.id");
      });
    });

    test("events of a thread before the answer that names it", async () => {
      await against({ eventsBeforeStart: true }, async (client) => {
        await client.initialize();
        await client.request("thread/start", {});
        const told = client.messages.map(({ method }) => method ?? "answer");
        expect(told.slice(-3)).toEqual(["thread/started", "thread/status/changed", "answer"]);
      });
    });

    test("no new work while draining", async () => {
      await against({ draining: true }, async (client) => {
        await client.initialize();
        expect((await client.ask("thread/start"))["error"]).toEqual({
          code: -32600,
          data: { reason: "serverShuttingDown" },
          message: "Server is draining; retry after reconnecting",
        });
        await client.request("thread/loaded/list");
      });
    });
  });

  describe("odd turns", () => {
    test("the plan's script goes before the prompt", async () => {
      await against({ turns: "say: planned" }, async (client) => {
        await client.initialize();
        await start(client, "say: asked");
        expect(await completed(client)).toMatchObject({ items: [{ text: "planned" }] });
      });
    });

    test.each(["say: all done ;; silence", "error: boom"])("%s never completes", async (prompt) => {
      await against({}, async (client) => {
        await client.initialize();
        const { threadId, turnId } = await start(client, prompt);
        await client.nextOf(prompt.startsWith("say") ? "item/agentMessage/delta" : "error");
        await silent(
          client.next(({ method }) => method === "turn/completed", "an end", SILENCE_MS),
        );
        await client.request("turn/interrupt", { threadId, turnId });
        expect(await completed(client)).toMatchObject({ status: "interrupted" });
      });
    });

    test("separators inside a string do not end a line", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, "separators");
        expect(await completed(client)).toMatchObject({
          items: [{ text: "one\u2028two\u2029three\u0085four" }],
        });
        expect(client.lines.join()).toContain("\u2028");
      });
    });

    test("a character is cut in two, and nothing gets between the halves", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, "cut: grüße");
        await client.request("account/read");
        expect(await completed(client)).toMatchObject({ items: [{ text: "grüße" }] });
      });
    });

    test("a line of 20 MiB", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, "big: 20");
        const delta = await client.nextOf("item/agentMessage/delta");
        expect(textAt(delta, "params.delta")).toHaveLength(20 * 1024 * 1024);
        await completed(client);
      });
    });

    test("noise in the middle", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, 'say: a ;; noise: {"half": ;; say: b');
        await completed(client);
        expect(client.lines).toContain('{"half":');
      });
    });

    test("a gate that the test opens", async () => {
      await against({}, async (client, fake) => {
        await client.initialize();
        await start(client, "hold: gate ;; say: through");
        await fake.release("gate");
        expect(await completed(client)).toMatchObject({ items: [{ text: "through" }] });
      });
    });
  });

  describe("server requests", () => {
    let client: StdioClient;
    let asked = 0;
    beforeAll(async () => {
      client = new StdioClient({ command: FAKE_APP_SERVER, env: { CODEX_HOME: home.path } });
      await client.initialize();
    });
    afterAll(async () => {
      await client.close();
    });

    test.each([...SERVER_REQUESTS, "some/unknown"])(
      "%s, and what it was answered",
      async (method) => {
        await start(client, `ask: ${method}`);
        const { id = null } = await client.nextOf(method);
        // They count up from 0 over the whole process.
        expect(id).toBe(asked++);
        const answer = { error: { code: -32601, message: "no" } };
        client.send({ id, ...answer });
        const text = textAt(await completed(client), "items.0.text");
        expect(JSON.parse(text.replace("answered: ", ""))).toEqual(answer);
      },
    );

    test("with the params of the prompt", async () => {
      await against({}, async (client) => {
        await client.initialize();
        await start(client, 'ask: item/tool/call {"tool":"mine"}');
        expect((await client.nextOf("item/tool/call"))["params"]).toEqual({ tool: "mine" });
      });
    });
  });

  test("what it got can be looked up", async () => {
    await against({}, async (client, fake) => {
      await client.initialize();
      await client.request("account/read");
      expect((await fake.received()).map((message) => at(message, "method"))).toEqual([
        "initialize",
        "initialized",
        "account/read",
      ]);
    });
  });
});
