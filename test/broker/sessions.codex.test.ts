import { describe, expect, test } from "vitest";
import { isRecord } from "../../src/wire/messages.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World, type WorldOptions } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();

interface Setting extends AsyncDisposable {
  readonly world: World;
  readonly endpoint: string;
}

/** A broker that runs, and nobody connected to it. */
async function setting(options?: WorldOptions): Promise<Setting> {
  const world = await makeWorld(options);
  const client = await world.connect();
  const endpoint = client.record.current ?? client.record.endpoint;
  client.close();
  return { world, endpoint, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

function idIn(answer: Message, name: "thread" | "turn"): string {
  const value = answer.result?.[name];
  return isRecord(value) ? String(value["id"]) : "";
}

async function startThread(session: RawSession): Promise<string> {
  return idIn(await session.ask("thread/start", {}), "thread");
}

function turn(threadId: string, text: string): object {
  return { threadId, input: [{ type: "text", text }] };
}

function textOfItem(item: unknown): string {
  return isRecord(item) && typeof item["text"] === "string" ? item["text"] : "";
}

const threadOf = ({ params }: Message): unknown => params?.["threadId"];

describe("a client that knows nothing of brokers", () => {
  test("F32: works as if the app-server were its own, through the fixed path", async () => {
    await using at = await setting();
    await using session = await RawSession.open(at.endpoint);
    const hello = await session.ask("initialize", { clientInfo: { name: "x", version: "1" } });
    expect(Object.keys(hello.result ?? {})).toEqual([
      "userAgent",
      "codexHome",
      "platformFamily",
      "platformOs",
    ]);
    session.send({ method: "initialized" });
    const opened = await session.ask("thread/start", {});
    expect(opened.result).toMatchObject({ thread: { cwd: at.world.workspace } });
    const threadId = idIn(opened, "thread");
    await session.ask("turn/start", turn(threadId, "say: hello"));
    const done = await session.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    expect(session.methods()).toContain("item/agentMessage/delta");
  });

  test("F26: its broker/shutdown releases that client and ends nothing that others use", async () => {
    await using at = await setting();
    await using one = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    expect((await one.ask("broker/shutdown")).result).toEqual({});
    expect((await other.ask("thread/loaded/list")).error).toBeUndefined();
    expect(livingBrokers(at.world.stateDir)).toHaveLength(1);
  });
});

describe("several sessions", () => {
  test("F32 F35: turns on different threads run side by side, and each hears its own", async () => {
    await using at = await setting();
    const sessions = await Promise.all(
      Array.from({ length: 4 }, () => RawSession.initialized(at.endpoint)),
    );
    const threads = await Promise.all(sessions.map(startThread));
    await Promise.all(
      sessions.map((one, i) => one.ask("turn/start", turn(threads[i]!, "slow: 10x30ms tick"))),
    );
    await Promise.all(sessions.map((one) => one.nextOf("turn/completed")));
    expect(at.world.model.requests.maxInFlight).toBe(4);
    for (const [i, one] of sessions.entries()) {
      const heard = new Set(one.messages.map(threadOf).filter((id) => id !== undefined));
      expect(heard).toEqual(new Set([threads[i]]));
      expect(one.methods().filter((method) => method === "item/agentMessage/delta")).toHaveLength(
        10,
      );
      await one[Symbol.asyncDispose]();
    }
  });

  test("F41: equal ids of different sessions, and ids that JavaScript would round, come back to their own", async () => {
    await using at = await setting();
    await using one = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    one.write('{"id":9007199254740993,"method":"thread/loaded/list","params":{}}\n');
    other.write('{"id":9007199254740993,"method":"nope/nothing","params":{}}\n');
    one.write('{"id":"7","method":"thread/loaded/list","params":{}}\n');
    one.write('{"id":7,"method":"nope/nothing","params":{}}\n');
    const idsOf = (session: RawSession): string[] =>
      session.lines.flatMap((line) => /"id":("?\d+"?)/.exec(line)?.[1] ?? []).toSorted();
    await eventually(() => idsOf(one).length >= 4 && idsOf(other).length >= 2, "all answers");
    expect(idsOf(one)).toEqual(['"7"', "1", "7", "9007199254740993"].toSorted());
    expect(idsOf(other)).toEqual(["1", "9007199254740993"]);
  });

  test("F49: an item of half a megabyte reaches everyone who hears its thread, whatever its characters", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "say: first"));
    await owner.nextOf("turn/completed");
    await other.ask("thread/resume", { threadId });
    const text = "漢😀".repeat(64 * 1_024);
    await owner.ask("turn/start", turn(threadId, `say: ${text}`));
    for (const session of [owner, other]) {
      const { params } = await session.next(
        ({ method, params }) =>
          method === "item/completed" && textOfItem(params?.["item"]).length > 1_000,
      );
      expect(textOfItem(params?.["item"])).toBe(text);
    }
  });

  test("a second session that resumes a thread joins it, and leaving ends nothing for the first", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint);
    await using guest = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "say: first"));
    await owner.nextOf("turn/completed");
    expect(
      (await guest.ask("thread/resume", { threadId, excludeTurns: true })).error,
    ).toBeUndefined();
    await owner.ask("turn/start", turn(threadId, "slow: 10x30ms tick"));
    await guest.nextOf("item/agentMessage/delta");
    expect((await guest.ask("thread/unsubscribe", { threadId })).result).toEqual({
      status: "unsubscribed",
    });
    const ofThread = (): number =>
      guest.messages.filter((one) => threadOf(one) === threadId).length;
    const heard = ofThread();
    await owner.next(
      (message) =>
        message.method === "turn/completed" &&
        owner.methods().filter((m) => m === "turn/completed").length === 2,
    );
    expect(ofThread()).toBe(heard);
  });

  test("F35: a session that joins in the middle of a turn is told all of it, in order and once", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint);
    await using guest = await RawSession.initialized(at.endpoint);
    await using stranger = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    const prompt = "slow: 10x20ms tick ;; shell: echo hi ;; hold: gate ;; slow: 10x20ms tock";
    await owner.ask("turn/start", turn(threadId, prompt));
    await owner.next(({ method, params }) => {
      const item = params?.["item"];
      return method === "item/completed" && isRecord(item) && item["type"] === "commandExecution";
    });
    const joined = await guest.ask("thread/resume", { threadId, excludeTurns: true });
    expect(joined.result?.["thread"]).toMatchObject({ status: { type: "active" } });
    at.world.model.release("gate");
    await Promise.all([owner, guest].map((session) => session.nextOf("turn/completed")));
    const ofTurn = ({ lines, messages }: RawSession): string[] => {
      const from = messages.findIndex(({ method }) => method === "turn/started");
      const to = messages.findIndex(({ method }) => method === "turn/completed");
      return lines.filter(
        (_line, n) => n >= from && n <= to && threadOf(messages[n]!) === threadId,
      );
    };
    expect(ofTurn(guest).length).toBeGreaterThan(25);
    expect(ofTurn(guest)).toEqual(ofTurn(owner));
    expect(guest.methods().filter((method) => method === "turn/started")).toHaveLength(1);
    expect(stranger.messages.map(threadOf)).not.toContain(threadId);
  });

  test("F36: anybody may interrupt, at any time", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    const started = await owner.ask("turn/start", turn(threadId, "silence"));
    const turnId = idIn(started, "turn");
    expect((await other.ask("turn/interrupt", { threadId, turnId })).result).toEqual({});
    const done = await owner.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "interrupted" });
  });

  test("a turn on a thread that is running one is refused and never becomes a steer", async () => {
    await using at = await setting();
    await using owner = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    owner.send({ id: "a", method: "turn/start", params: turn(threadId, "slow: 10x30ms tick") });
    const own = await owner.ask("turn/start", turn(threadId, "say: too early"));
    const others = await other.ask("turn/start", turn(threadId, "say: not mine"));
    for (const refused of [own, others]) {
      expect(refused.error?.data).toMatchObject({ kind: "threadBusy", retryable: true });
    }
    const done = await owner.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    expect(at.world.model.requests.total).toBe(1);
  });

  test("handles that two sessions choose alike do not collide, and end with their session", async () => {
    await using at = await setting();
    await using one = await RawSession.initialized(at.endpoint);
    const other = await RawSession.initialized(at.endpoint);
    const watch = { path: at.world.workspace, watchId: "w" };
    expect((await one.ask("fs/watch", watch)).error).toBeUndefined();
    expect((await other.ask("fs/watch", watch)).error).toBeUndefined();
    other.send({
      id: "run",
      method: "command/exec",
      params: { command: ["sleep", "600"], processId: "p" },
    });
    expect((await one.ask("command/exec/terminate", { processId: "p" })).error).toBeDefined();
    await other[Symbol.asyncDispose]();
    expect((await one.ask("fs/unwatch", { watchId: "w" })).error).toBeUndefined();
  });

  test("experimental methods and notifications are for those who asked for them", async () => {
    await using at = await setting();
    await using plain = await RawSession.initialized(at.endpoint);
    await using bold = await RawSession.initialized(at.endpoint, { experimentalApi: true });
    const refused = await plain.ask("server/diagnostics");
    expect(refused.error?.message).toBe("server/diagnostics requires experimentalApi capability");
    expect((await bold.ask("server/diagnostics")).error).toBeUndefined();
  });

  test("opt-outs hold for the session that chose them", async () => {
    await using at = await setting();
    const capabilities = { optOutNotificationMethods: ["item/agentMessage/delta"] };
    await using quiet = await RawSession.initialized(at.endpoint, capabilities);
    const threadId = await startThread(quiet);
    await quiet.ask("turn/start", turn(threadId, "say: hello there"));
    await quiet.nextOf("turn/completed");
    expect(quiet.methods()).not.toContain("item/agentMessage/delta");
    expect(quiet.methods()).toContain("item/completed");
  });
});

describe("questions of the app-server", () => {
  const asking: WorldOptions = {
    config: { approvalPolicy: "on-request", sandboxMode: "read-only" },
  };
  const METHOD = "item/commandExecution/requestApproval";

  test("F65: an approval goes to the session that runs the turn, and its answer alone counts", async () => {
    await using at = await setting(asking);
    await using owner = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "shell-ask: echo really"));
    const question = await owner.nextOf(METHOD);
    for (const id of [0, 1, 2, 3]) other.send({ id, result: { decision: "cancel" } });
    await other.ask("thread/loaded/list");
    owner.send({ id: question.id, result: { decision: "accept" } });
    const resolved = await owner.nextOf("serverRequest/resolved");
    expect(resolved.params?.["requestId"]).toBe(question.id);
    const done = await owner.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    expect(other.methods()).not.toContain(METHOD);
  });

  test("F65: an approval goes to all who joined; the first answer counts and all are told", async () => {
    await using at = await setting(asking);
    await using owner = await RawSession.initialized(at.endpoint);
    await using joined = await RawSession.initialized(at.endpoint);
    await using late = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask(
      "turn/start",
      turn(threadId, "say: I ask. ;; hold: gate ;; shell-ask: echo really"),
    );
    await owner.nextOf("item/agentMessage/delta");
    await joined.ask("thread/resume", { threadId, excludeTurns: true });
    at.world.model.release("gate");
    await owner.nextOf(METHOD);
    await joined.nextOf(METHOD);
    await late.ask("thread/resume", { threadId, excludeTurns: true });
    const question = await late.nextOf(METHOD);
    late.send({ id: question.id, result: { decision: "accept" } });
    for (const session of [owner, joined, late]) {
      const known = session.messages.filter(({ method }) => method === METHOD);
      expect(known).toHaveLength(1);
      const resolved = await session.nextOf("serverRequest/resolved");
      expect(resolved.params?.["requestId"]).toBe(known[0]?.id);
      const done = await session.nextOf("turn/completed");
      expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    }
    expect(at.world.model.requests.recent.at(-1)?.round).toBe(1);
  });

  test("F65: an approval outlives its owner where another session has joined", async () => {
    await using at = await setting(asking);
    const owner = await RawSession.initialized(at.endpoint);
    await using joined = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "shell-ask: echo really"));
    await owner.nextOf(METHOD);
    await joined.ask("thread/resume", { threadId, excludeTurns: true });
    await owner[Symbol.asyncDispose]();
    const question = await joined.nextOf(METHOD);
    joined.send({ id: question.id, result: { decision: "accept" } });
    const done = await joined.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
  });

  test("F65: a session that answers everything with -32601 declines, and does not fail the approval", async () => {
    await using at = await setting(asking);
    await using owner = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "shell-ask: echo really"));
    const { id } = await owner.nextOf(METHOD);
    owner.send({ id, error: { code: -32601, message: "Method not found" } });
    const done = await owner.nextOf("turn/completed");
    expect(done.params?.["turn"]).toMatchObject({ status: "completed" });
    const [item] = owner.messages
      .filter(({ method }) => method === "item/completed")
      .map(({ params }) => params?.["item"] as Record<string, unknown>)
      .filter(({ type }) => type === "commandExecution");
    expect(item?.["status"]).toBe("declined");
  });

  test("F65: the turn of an approval whose only session has gone is interrupted, and the thread is free again", async () => {
    await using at = await setting(asking);
    const owner = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const threadId = await startThread(owner);
    await owner.ask("turn/start", turn(threadId, "shell-ask: echo really"));
    await owner.nextOf(METHOD);
    await owner[Symbol.asyncDispose]();
    const turns = async (): Promise<unknown> => (await other.ask("broker/turns")).result?.["turns"];
    await eventually(async () => JSON.stringify(await turns()) === "[]", "the turn ends");
    const resumed = await other.ask("thread/resume", { threadId, excludeTurns: true });
    expect(resumed.error).toBeUndefined();
  });
});

describe("bad input", () => {
  const bad: Record<string, [line: string | Buffer, code: number]> = {
    "bytes that are not UTF-8": [Buffer.from([0x7b, 0xff, 0x7d, 0x0a]), -32700],
    "no JSON": ["nonsense\n", -32700],
    "an empty line": ["\n", -32700],
    "a batch": ['[{"id":1,"method":"thread/loaded/list"}]\n', -32600],
    "a fraction as id": ['{"id":1.5,"method":"thread/loaded/list","params":{}}\n', -32600],
    "null as id": ['{"id":null,"method":"thread/loaded/list","params":{}}\n', -32600],
    "two ids": ['{"id":1,"method":"thread/loaded/list","id":2}\n', -32600],
    "neither method nor id": ["{}\n", -32600],
  };
  test.each(Object.entries(bad))(
    "F48: %s gets an error and costs nobody anything",
    async (_what, [line, code]) => {
      await using at = await setting();
      await using session = await RawSession.initialized(at.endpoint);
      await using other = await RawSession.initialized(at.endpoint);
      session.write(line);
      const refused = await session.next((message) => message.id === null);
      expect(refused.error?.code).toBe(code);
      expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
      expect((await other.ask("thread/loaded/list")).error).toBeUndefined();
    },
  );

  test("F12: whatever trace a request has, it is answered: what the app-server would drop is refused", async () => {
    await using at = await setting();
    await using session = await RawSession.initialized(at.endpoint);
    const traces: Record<string, unknown[]> = {
      taken: [null, {}, { traceparent: "nonsense", tracestate: null }, { other: 1 }],
      refused: [1, true, "x", ["a", 1], { traceparent: 1 }, { traceparent: "a", tracestate: [] }],
    };
    for (const [what, some] of Object.entries(traces)) {
      for (const [n, trace] of some.entries()) {
        const id = `${what} ${n}`;
        session.send({ id, method: "thread/loaded/list", params: {}, trace });
        const answer = await session.next((message) => message.id === id);
        expect([id, answer.error?.data?.["kind"]]).toEqual([
          id,
          what === "taken" ? undefined : "invalidRequest",
        ]);
      }
    }
    // The same for a name that the app-server's parser keeps for itself.
    const refused = await session.ask("thread/loaded/list", {
      x: { "$serde_json::private::Number": "x" },
    });
    expect(refused.error?.data?.["kind"]).toBe("invalidRequest");
  });

  test("a request before initialize, and a second initialize, are refused as the app-server does", async () => {
    await using at = await setting();
    await using session = await RawSession.open(at.endpoint);
    expect((await session.ask("thread/loaded/list")).error?.message).toBe("Not initialized");
    await session.ask("initialize", { clientInfo: { name: "x", version: "1" } });
    expect((await session.ask("initialize", {})).error?.message).toBe("Already initialized");
  });

  test(
    "F99: a line over the cap gets a typed error, and the session goes on",
    { timeout: 60_000 },
    async () => {
      await using at = await setting();
      await using session = await RawSession.initialized(at.endpoint);
      const chunk = Buffer.alloc(8 * 1024 * 1024, 0x61);
      for (let i = 0; i < 17; i += 1) session.write(chunk);
      session.write("\n");
      const refused = await session.next((message) => message.id === null);
      expect(refused.error?.data).toMatchObject({ kind: "frameTooLarge" });
      expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
    },
  );
});
