import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World } from "../support/world.ts";
import { RawSession, type Message } from "./raw-session.ts";

guardAgainstLeaks();
vi.setConfig({ testTimeout: 90_000 });

const KIB = 1024;
const MB = 1_000_000;
const WAIT_MS = 60_000;

type Limits = NonNullable<Parameters<World["connect"]>[0]>["limits"];

interface Setting extends AsyncDisposable {
  readonly world: World;
  readonly endpoint: string;
  readonly brokerPid: number;
}

async function limited(limits: Limits): Promise<Setting> {
  const world = await makeWorld();
  const client = await world.connect({ limits: limits! });
  const { endpoint, broker } = client.record;
  client.close();
  return {
    world,
    endpoint,
    brokerPid: broker.pid,
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** Connections that say nothing. */
function silent(endpoint: string, count: number): Promise<RawSession[]> {
  return Promise.all(Array.from({ length: count }, () => RawSession.open(endpoint)));
}

async function close(sessions: readonly RawSession[]): Promise<void> {
  await Promise.all(sessions.map((each) => each[Symbol.asyncDispose]()));
}

const kindOf = ({ error }: Message): unknown => error?.data?.["kind"];

describe("a connection without a handshake", () => {
  test("takes no place of a session, however many there are (F118)", async () => {
    await using at = await limited({ maxSessions: 2 });
    const idle = await silent(at.endpoint, 20);
    await using one = await RawSession.initialized(at.endpoint);
    await using other = await RawSession.initialized(at.endpoint);
    const status = (await one.ask("broker/status")).result;
    expect(status?.["sessions"]).toHaveLength(2);
    await using third = await RawSession.open(at.endpoint);
    expect(kindOf(await third.ask("initialize", {}))).toBe("tooManySessions");
    await third.ended;
    expect((await other.ask("thread/loaded/list")).error).toBeUndefined();
    await close(idle);
  });

  test("is closed after its deadline and told why; a session is not (F118)", async () => {
    await using at = await limited({ handshakeTimeoutMs: 1_000 });
    await using session = await RawSession.initialized(at.endpoint);
    const idle = await silent(at.endpoint, 3);
    idle[1]?.send({ id: 1, method: "thread/loaded/list", params: {} });
    idle[2]?.write('{"id":1,"method":"init');
    await Promise.all(idle.map((each) => each.ended));
    for (const each of idle) {
      expect(each.messages.at(-1)).toMatchObject({
        method: "broker/closing",
        params: { error: { kind: "notInitialized", details: { handshakeTimeoutMs: 1_000 } } },
      });
    }
    expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
  });

  test("does not keep the broker from ending when it is idle, nor do those that come and go (F118)", async () => {
    await using at = await limited({ idleTimeoutMs: 1_500 });
    const idle = await silent(at.endpoint, 3);
    const hasEnded = async (): Promise<boolean> => {
      const each = await RawSession.open(at.endpoint).catch(() => undefined);
      await each?.[Symbol.asyncDispose]();
      return livingBrokers(at.world.stateDir).length === 0;
    };
    await eventually(hasEnded, "it ends", WAIT_MS);
    await close(idle);
  });

  test("is closed when more than a thousand have come after it; no session is (F118)", async () => {
    await using at = await limited({});
    await using session = await RawSession.initialized(at.endpoint);
    const [first] = await silent(at.endpoint, 1);
    const idle: RawSession[] = [];
    // The kernel lets some hundred wait to be accepted, and no more.
    while (idle.length < 1_000) idle.push(...(await silent(at.endpoint, 100)));
    await first!.ended;
    expect((await session.ask("thread/loaded/list")).error).toBeUndefined();
    await using other = await RawSession.initialized(at.endpoint);
    expect((await other.ask("broker/status")).result?.["sessions"]).toHaveLength(2);
    await close(idle);
  });

  test("may send little, and is closed when it sends more (F139)", async () => {
    await using at = await limited({});
    await using session = await RawSession.open(at.endpoint);
    session.write("x".repeat(300 * KIB));
    await session.ended;
    expect(session.messages.map(kindOf)).toContain("frameTooLarge");
    // Once it has said who it is, the rest of the very same write may be long.
    await using known = await RawSession.open(at.endpoint);
    const clientInfo = { name: "known", title: null, version: "0" };
    const text = "x".repeat(400 * KIB);
    known.write(
      [
        { id: 1, method: "initialize", params: { clientInfo } },
        { method: "initialized" },
        { id: 2, method: "thread/loaded/list", params: { text } },
      ]
        .map((message) => `${JSON.stringify(message)}\n`)
        .join(""),
    );
    expect((await known.next(({ id }) => id === 2)).error).toBeUndefined();
  });
});

function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * KIB;
}

/** Sends so many bytes of a line that does not end, as fast as they are taken. */
async function sendUnended(session: RawSession, bytes: number): Promise<void> {
  const piece = Buffer.alloc(MB, "x");
  for (let sent = 0; sent < bytes && !session.socket.destroyed; sent += piece.length) {
    if (session.socket.write(piece)) continue;
    await new Promise<void>((resolve) => {
      for (const event of ["drain", "close"]) session.socket.once(event, resolve);
    });
  }
}

// The memory of another process is read from /proc.
describe.skipIf(process.platform !== "linux")("the memory of a broker", () => {
  test("is not taken by connections that never say who they are (F139)", async () => {
    await using at = await limited({});
    const before = residentBytes(at.brokerPid);
    const sessions = await silent(at.endpoint, 6);
    await Promise.all(sessions.map((each) => sendUnended(each, 100 * MB)));
    expect(residentBytes(at.brokerPid) - before).toBeLessThan(60 * MB);
    await close(sessions);
  });

  test("is bounded over all sessions, and given back when they have closed (F139)", async () => {
    await using at = await limited({ maxUnfinishedBytes: 250 * MB });
    await using bystander = await RawSession.initialized(at.endpoint);
    const before = residentBytes(at.brokerPid);
    const sessions = await Promise.all(
      Array.from({ length: 6 }, () => RawSession.initialized(at.endpoint)),
    );
    let most = 0;
    for (const each of sessions) {
      await sendUnended(each, 100 * MB);
      expect((await bystander.ask("thread/loaded/list")).error).toBeUndefined();
      most = Math.max(most, residentBytes(at.brokerPid) - before);
    }
    expect(most).toBeGreaterThan(150 * MB);
    expect(most).toBeLessThan(400 * MB);
    // Those whose bytes had waited longest were told so, and may go on.
    const [first, last] = [sessions[0]!, sessions.at(-1)!];
    expect(kindOf(await first.next(({ id }) => id === null))).toBe("frameTooLarge");
    first.write("\n");
    expect((await first.ask("thread/loaded/list")).error).toBeUndefined();
    expect(last.messages.filter(({ id }) => id === null)).toEqual([]);
    await close(sessions);
    await eventually(
      () => residentBytes(at.brokerPid) - before < 80 * MB,
      "the memory is given back",
      20_000,
    );
  });
});
