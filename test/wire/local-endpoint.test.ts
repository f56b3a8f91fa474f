import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { Deadline } from "../../src/base/deadline.ts";
import { chooseEndpoint } from "../../src/os/endpoint.ts";
import { Connection, type ConnectionOptions } from "../../src/wire/connection.ts";
import { LineChannel } from "../../src/wire/line-channel.ts";
import { notificationLine } from "../../src/wire/messages.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

/* Over what the system really has between processes: a socket in a directory, or a named pipe. */

const MAX_LINE_BYTES = 64 * 1024 * 1024;
const MIB = 1024 * 1024;

let dir: TempDir;
let address: string;
const open: Array<Server | Socket> = [];

beforeEach(async () => {
  dir = await makeTempDir();
  const instance = randomBytes(16).toString("hex");
  ({ address } = chooseEndpoint({
    stateDir: dir.path,
    shortKey: "0123456789ab",
    epoch: 1,
    instance,
  }));
});
afterEach(async () => {
  for (const each of open.splice(0)) {
    if ("destroy" in each) each.destroy();
    else if (each.listening) await new Promise((resolve) => each.close(resolve));
  }
  await dir.remove();
});

async function listen(onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    open.unshift(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  open.push(server);
  server.listen(address);
  await once(server, "listening");
}

async function reach(): Promise<Socket> {
  const socket = connect(address);
  open.unshift(socket);
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

async function connection(options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const socket = await reach();
  return new Connection(
    { readable: socket, writable: socket },
    { maxLineBytes: MAX_LINE_BYTES, ...options },
  );
}

function serve(options: Partial<ConnectionOptions>): Promise<void> {
  return listen((socket) => {
    void new Connection(
      { readable: socket, writable: socket },
      { maxLineBytes: MAX_LINE_BYTES, ...options },
    );
  });
}

function text(bytes: number, letter = "x"): string {
  return letter.repeat(bytes);
}

test("a line that arrives byte by byte is one message, in pieces or two in one", async () => {
  const heard: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    void serve({
      onNotification(method, params) {
        heard.push([method, params]);
        if (method === "last") resolve();
      },
    });
  });
  const socket = await reach();
  const line = Buffer.from('{"method":"first","params":{"text":"漢字 ✓"}}\n');
  for (const byte of line) {
    await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => resolve()));
  }
  socket.write('{"method":"second"}\n{"method":"last"}\n');
  await Deadline.after(10_000).race(all, () => new Error("the last one did not arrive"));
  expect(heard).toEqual([
    ["first", { text: "漢字 ✓" }],
    ["second", undefined],
    ["last", undefined],
  ]);
});

test("F99: 32 MiB go there and back as one message, while small ones are answered", async () => {
  await serve({ onRequest: (_method, params) => params });
  const client = await connection();
  const big = text(32 * MIB);
  const [answer, ...small] = await Promise.all([
    client.request("echo", { big }),
    ...Array.from({ length: 20 }, (_, at) => client.request("echo", { at })),
  ]);
  expect((answer as { big: string }).big === big).toBe(true);
  expect(small).toEqual(Array.from({ length: 20 }, (_, at) => ({ at })));
  client.close();
});

test("F12: whoever waits is told at once when the process at the other end is killed", async () => {
  const program = `require("node:net").createServer((socket) => socket.resume())
    .listen(process.argv[1], () => console.log("listening"));`;
  const server = spawn(process.execPath, ["-e", program, address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  const client = await connection();
  const waiting = Array.from({ length: 3 }, () => client.request("never"));
  server.kill("SIGKILL");
  for (const each of await Promise.allSettled(waiting)) {
    expect(each).toMatchObject({ status: "rejected", reason: { kind: "connectionLost" } });
  }
  if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
  const next = connect(address);
  const [error] = (await once(next, "error")) as [NodeJS.ErrnoException];
  expect(["ENOENT", "ECONNREFUSED"]).toContain(error.code);
});

describe("the end of a session", () => {
  test("comes after all that was said before, be it more than a pipe holds", async () => {
    const last = { text: text(4 * MIB, "z") };
    await listen((socket) => {
      const channel = new LineChannel(
        { readable: socket, writable: socket },
        { onLine() {}, onOversizedLine() {}, onEnd() {} },
        MAX_LINE_BYTES,
      );
      channel.send(notificationLine("broker/closing", last));
      channel.close();
    });
    const heard: unknown[] = [];
    const client = await connection({
      onNotification: (method, params) => heard.push([method, params]),
    });
    expect((await client.closed).kind).toBe("connectionLost");
    expect(heard).toEqual([["broker/closing", last]]);
  });

  test("is both directions at once: what the other side still answers is nobody's", async () => {
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      void serve({
        onRequest() {
          resolve();
          return new Promise((done) => {
            answer = () => done({});
          });
        },
      });
    });
    const client = await connection();
    const late = client.request("slow").catch((error: unknown) => error);
    await asked;
    client.close();
    const error = await late;
    expect(BrokerError.is(error) && error.kind).toBe("connectionClosed");
    answer();
    // The server has survived it and serves the next one.
    const next = await connection();
    const again = next.request("slow").catch((thrown: unknown) => thrown);
    next.close();
    expect(await again).toMatchObject({ kind: "connectionClosed" });
  });
});

test("F10: an endpoint that nobody serves any more refuses at once", async () => {
  const server = createServer();
  server.listen(address);
  await once(server, "listening");
  await new Promise((resolve) => server.close(resolve));
  const [error] = (await once(connect(address), "error")) as [NodeJS.ErrnoException];
  expect(["ENOENT", "ECONNREFUSED"]).toContain(error.code);
});
