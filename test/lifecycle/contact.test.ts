import { spawn } from "node:child_process";
import { chmodSync, linkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Deadline, monotonicMs } from "../../src/base/deadline.ts";
import { BrokerError, type ErrorKind } from "../../src/base/errors.ts";
import { makeContact, type Contacted, type Introduction } from "../../src/lifecycle/contact.ts";
import { BROKER_PROTOCOL, proofOf, type BrokerHello } from "../../src/wire/broker-protocol.ts";
import { toRpcError } from "../../src/wire/messages.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { servingRecord } from "./records.ts";

guardAgainstLeaks();

const ROOT = process.getuid?.() === 0;

let dir: TempDir;
let endpoint: string;
let server: Server | undefined;
const sockets = new Set<Socket>();

beforeEach(async () => {
  dir = await makeTempDir();
  endpoint = join(dir.path, "s.sock");
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server?.close();
  server = undefined;
  await dir.remove();
});

const introduction: Introduction = {
  clientInfo: { name: "test", title: null, version: "0" },
  capabilities: {},
  handlers: () => ({}),
};

interface Asked {
  readonly id: number;
  readonly params: {
    readonly broker: { readonly nonce: string; readonly instance: string; readonly pid: number };
  };
}

/** Whoever listens there, and does that with the first line of each connection. */
async function listen(onHello: (asked: Asked, socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => onHello(JSON.parse(data.toString()) as Asked, socket));
  }).listen(endpoint);
  await once(server, "listening");
}

function hello(asked: Asked, change: Partial<BrokerHello> = {}): BrokerHello {
  const { instance, epoch, token } = servingRecord();
  return {
    protocol: BROKER_PROTOCOL,
    instance,
    epoch,
    state: "serving",
    proof: proofOf(token, asked.params.broker.nonce),
    pid: 1,
    startedAt: "2030-01-02T03:04:06.000Z",
    versions: { broker: "1.2.3", build: "b", node: "20.19.0", codex: null },
    appServer: { pid: 2, version: null, lastAnswerMsAgo: 1, unansweredMs: 0 },
    ...change,
  };
}

function say(socket: Socket, message: unknown): void {
  socket.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`);
}

async function contact(withinMs = 5_000, to = endpoint): Promise<Contacted> {
  const contacted = makeContact(
    servingRecord({ endpoint: to }),
    introduction,
    Deadline.after(withinMs),
  );
  return await contacted;
}

describe("the broker of the record", () => {
  test("F07 S9: is known by its instance, its epoch and its proof, and the link stays open", async () => {
    const seen: Asked[] = [];
    await listen((asked, socket) => {
      seen.push(asked);
      say(socket, { id: asked.id, result: { userAgent: "codex", broker: hello(asked) } });
    });
    const { contact: found, link } = await contact();
    expect(found.kind).toBe("hello");
    expect(link?.initializeResult).toMatchObject({ userAgent: "codex" });
    expect(link?.connection.endCause).toBeUndefined();
    expect(seen[0]?.params).toMatchObject({
      broker: { instance: servingRecord().instance, pid: process.pid },
    });
    expect(JSON.stringify(seen)).not.toContain(servingRecord().token);
    link?.connection.close();
  });

  test("F07: is asked with another nonce each time: a proof that was overheard is worth nothing", async () => {
    const nonces = new Set<string>();
    await listen((asked, socket) => {
      nonces.add(asked.params.broker.nonce);
      say(socket, { id: asked.id, result: { broker: hello(asked) } });
    });
    for (let n = 0; n < 3; n += 1) (await contact()).link?.connection.close();
    expect(nonces.size).toBe(3);
  });
});

describe("F07: somebody else who answers there is a stranger, and nothing stays open", () => {
  const strangers: Record<string, [answer: (asked: Asked) => unknown, why: RegExp]> = {
    "another instance": [
      (asked) => ({ id: asked.id, result: { broker: hello(asked, { instance: "another" }) } }),
      /another instance/,
    ],
    "another epoch": [
      (asked) => ({ id: asked.id, result: { broker: hello(asked, { epoch: 8 }) } }),
      /another instance/,
    ],
    "one that cannot prove it": [
      (asked) => ({ id: asked.id, result: { broker: hello(asked, { proof: "0".repeat(64) }) } }),
      /prove/,
    ],
    "an app-server": [
      (asked) => ({ id: asked.id, result: { userAgent: "codex/0.169.0" } }),
      /not answer as a broker/,
    ],
    "a program that refuses": [
      (asked) => ({ id: asked.id, error: { code: -32_601, message: "method not found" } }),
      /method not found/,
    ],
    "a program that speaks something else": [() => "HTTP/1.1 400 Bad Request", /no message/],
    "a hello with half of its members": [
      (asked) => ({ id: asked.id, result: { broker: { ...hello(asked), proof: undefined } } }),
      /not answer as a broker/,
    ],
  };
  test.each(Object.entries(strangers))("%s", async (_what, [answer, why]) => {
    const closed: Array<Promise<unknown>> = [];
    await listen((asked, socket) => {
      closed.push(once(socket, "close"));
      say(socket, answer(asked));
    });
    const contacted = await contact();
    expect(contacted.link).toBeUndefined();
    expect(contacted.contact).toMatchObject({
      kind: "stranger",
      why: expect.stringMatching(why) as string,
    });
    await Promise.all(closed);
  });
});

describe("an error that the broker answers the handshake with", () => {
  const errorOf = (kind: ErrorKind): unknown => toRpcError(new BrokerError(kind, `It is ${kind}.`));

  test.each([
    "tooManySessions",
    "draining",
    "appServerExited",
    "requestTimedOut",
    "connectionLost",
  ])("%s is an answer: neither silence, nor a stranger's (F118)", async (kind) => {
    await listen((asked, socket) =>
      say(socket, { id: asked.id, error: errorOf(kind as ErrorKind) }),
    );
    const { contact: found, link } = await contact();
    expect(found).toMatchObject({ kind: "rejected", error: { kind, message: `It is ${kind}.` } });
    expect(link).toBeUndefined();
  });

  test("of a kind that only a newer broker knows is one too (F118)", async () => {
    const error = { code: -33_999, message: "It is the wrong moon.", data: { kind: "wrongMoon" } };
    await listen((asked, socket) => say(socket, { id: asked.id, error }));
    expect((await contact()).contact).toMatchObject({
      kind: "rejected",
      error: { kind: "brokerUnavailable", message: "It is the wrong moon." },
    });
  });
});

describe("nobody who answers", () => {
  test("F06: where there is no such file", async () => {
    expect((await contact()).contact).toEqual({ kind: "refused", code: "ENOENT" });
  });

  test("F10: where a socket was left behind, or a file lies in its place", async () => {
    await listen(() => {});
    const left = join(dir.path, "left.sock");
    // A listener that closes removes its own name only.
    linkSync(endpoint, left);
    server?.close();
    writeFileSync(endpoint, "");
    for (const stale of [left, endpoint]) {
      expect((await contact(5_000, stale)).contact).toEqual({
        kind: "refused",
        code: "ECONNREFUSED",
      });
    }
  });

  test("a listener that closes before it has answered is no silence and no refusal (F123)", async () => {
    await listen((_asked, socket) => socket.destroy());
    expect((await contact()).contact).toEqual({
      kind: "closed",
      code: expect.stringMatching(/^ECONNRESET$|^EPIPE$|^closed/) as string,
    });
  });

  test("where the record names no path at all, or what could be a port", async () => {
    for (const odd of ["", "1", "65535", "localhost:1", "x".repeat(300)]) {
      expect(["refused", "misplaced"]).toContain((await contact(5_000, odd)).contact.kind);
    }
  });

  test.skipIf(process.platform !== "linux")(
    "F03: because its queue is full: a broker that is busy is silent, and not gone",
    async () => {
      const listener = spawn(
        process.execPath,
        [
          "-e",
          `require("node:net").createServer().listen({ path: ${JSON.stringify(endpoint)}, backlog: 1 }, () => process.stdout.write("."))`,
        ],
        { stdio: ["ignore", "pipe", "ignore"] },
      );
      await once(listener.stdout, "data");
      listener.kill("SIGSTOP");
      const waiting: Socket[] = [];
      const full = new Promise<unknown>((resolve) => {
        for (let n = 0; n < 8; n += 1) {
          const socket = connect({ path: endpoint });
          socket.on("error", resolve);
          waiting.push(socket);
        }
      });
      expect(await full).toMatchObject({ code: "EAGAIN" });
      expect((await contact()).contact).toEqual({ kind: "silent" });
      for (const socket of waiting) socket.destroy();
      listener.kill("SIGKILL");
      await once(listener, "exit");
    },
  );

  test("F80 F03: in time: silence is silence, and lasts no longer than the deadline", async () => {
    await listen(() => {});
    const startedAt = monotonicMs();
    const { contact: found, link } = await contact(100);
    expect(found).toEqual({ kind: "silent" });
    expect(monotonicMs() - startedAt).toBeGreaterThanOrEqual(95);
    expect(link).toBeUndefined();
    expect(monotonicMs() - startedAt).toBeLessThan(2_000);
  });
});

test.skipIf(process.platform === "win32")(
  "F83: a connection that is not permitted is told from one that is refused",
  async () => {
    await listen(() => {});
    chmodSync(dir.path, 0o755);
    chmodSync(endpoint, 0o000);
    // Root may connect to everything, so he becomes somebody else while he does.
    if (ROOT) process.seteuid?.(65_534);
    const contacted = contact();
    if (ROOT) process.seteuid?.(0);
    expect((await contacted).contact).toEqual({ kind: "denied", code: "EACCES" });
  },
);
