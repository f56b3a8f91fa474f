import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { limitMsOf } from "../../src/app-server/method-table.ts";
import { readProcess } from "../../src/os/process-tree.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { MCP_SERVER_TABLE } from "../support/mcp-server.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 60_000 });

interface Waiting extends AsyncDisposable {
  readonly world: World;
  readonly session: RawSession;
  readonly threadId: string;
  readonly brokerPid: number;
  readonly appServerPid: number;
  /** Settles with what the broker says to the request. */
  readonly answer: Promise<Message>;
}

const PROGRAM = `require("node:fs").writeFileSync("pid", String(process.pid)); setInterval(() => {}, 1_000)`;

/** What takes as long as it takes, and does not end by itself. */
const LONG = {
  "command/exec": () => ({
    command: [process.execPath, "-e", PROGRAM],
    disableTimeout: true,
  }),
  "mcpServer/tool/call": (threadId: string) => ({
    threadId,
    server: "notes",
    tool: "hang",
    arguments: {},
  }),
};

type Long = keyof typeof LONG;
const METHODS = Object.keys(LONG) as Long[];

function commandIn(world: World): number {
  try {
    return Number(readFileSync(join(world.workspace, "pid"), "utf8"));
  } catch {
    return 0;
  }
}

/** A session that waits for an answer that will not come by itself. */
async function waitingFor(method: Long): Promise<Waiting> {
  const world = await makeWorld({ config: { tables: MCP_SERVER_TABLE } });
  const client = await world.connect();
  const { pid, appServer } = await client.status();
  const session = await RawSession.initialized(client.record.endpoint);
  client.close();
  const opened = await session.ask("thread/start");
  const thread = opened.result?.["thread"];
  const threadId = isRecord(thread) ? String(thread["id"]) : "";
  session.send({ id: "long", method, params: LONG[method](threadId) });
  // What is asked after it is answered.
  expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
  if (method === "command/exec") await eventually(() => commandIn(world) > 0, "the command runs");
  const answer = session.next(({ id }) => id === "long");
  answer.catch(() => {});
  return {
    world,
    session,
    threadId,
    brokerPid: pid,
    appServerPid: appServer.pid ?? 0,
    answer,
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

const kindOf = ({ error }: Message): unknown => error?.data?.["kind"];

describe.each(METHODS)("F12: a %s, which may take as long as it takes,", (method) => {
  test("has no limit, and is answered when the app-server is gone", async () => {
    expect(limitMsOf(method)).toBe(Infinity);
    await using at = await waitingFor(method);
    process.kill(at.appServerPid, "SIGKILL");
    expect(kindOf(await at.answer)).toBe("appServerExited");
  });

  test("is answered when the broker ends, at once by force", async () => {
    await using at = await waitingFor(method);
    await at.session.ask("broker/stop", { force: true });
    expect(kindOf(await at.answer)).toBe("connectionLost");
  });

  test("is waited for when the broker ends in order, and then answered as well", async () => {
    await using at = await waitingFor(method);
    await at.session.ask("broker/stop", {});
    const { error } = await at.answer;
    // A broker that drains lets go of its idle threads, and with its thread Codex ends the call itself.
    if (method === "mcpServer/tool/call") expect(error?.message).toContain("tool call failed");
    else expect(error?.data?.["kind"]).toBe("connectionLost");
  });

  test("ends with the connection when the broker is killed", async () => {
    await using at = await waitingFor(method);
    process.kill(at.brokerPid, "SIGKILL");
    await at.session.ended;
    await expect(at.answer).rejects.toThrow("it has ended");
  });
});

test("F12 F23: a command without a name ends with its session, as it would on a connection of its own", async () => {
  await using at = await waitingFor("command/exec");
  const command = commandIn(at.world);
  await using bystander = await at.world.connect();
  await at.session[Symbol.asyncDispose]();
  await eventually(() => readProcess(command)?.ended ?? true, "the command ends");
  expect((await bystander.status()).appServer.pid).toBe(at.appServerPid);
});

test("F12: a command without a name is answered as Codex answers it", async () => {
  await using world = await makeWorld();
  await using client = await world.connect();
  await using session = await RawSession.initialized(client.record.endpoint);
  const command = [process.execPath, "-e", "console.log(1); console.error(2); process.exit(3)"];
  const { result, error } = await session.ask("command/exec", { command, processId: null });
  expect({ result, error }).toEqual({
    result: { exitCode: 3, stdout: "1\n", stderr: "2\n" },
    error: undefined,
  });
  for (const streamed of ["tty", "streamStdin", "streamStdoutStderr"]) {
    const refused = await session.ask("command/exec", { command, [streamed]: true });
    expect(refused.error?.message).toContain("processId");
  }
});

test("F12: a tool call is answered when the last session has left its thread", async () => {
  await using at = await waitingFor("mcpServer/tool/call");
  await at.session.ask("thread/unsubscribe", { threadId: at.threadId });
  expect((await at.answer).error?.message).toContain("tool call failed");
});
