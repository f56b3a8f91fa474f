import { chmodSync, existsSync, lstatSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import {
  chooseEndpoint,
  MAX_SOCKET_PATH_BYTES,
  socketDirectories,
  type Endpoint,
  type EndpointNaming,
} from "../../src/os/endpoint.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { differs, ON_WINDOWS } from "../support/wine.ts";

guardAgainstLeaks();

const KEY = "0123456789ab";
const LAST_RESORT = `/tmp/codex-broker-${String(process.getuid?.())}`;

let dir: TempDir;
let runtime: string | undefined;
const lastResortWasThere = existsSync(LAST_RESORT);

beforeEach(async () => {
  dir = await makeTempDir();
  runtime = process.env["XDG_RUNTIME_DIR"];
  delete process.env["XDG_RUNTIME_DIR"];
});
afterEach(async () => {
  if (runtime === undefined) delete process.env["XDG_RUNTIME_DIR"];
  else process.env["XDG_RUNTIME_DIR"] = runtime;
  if (!lastResortWasThere && existsSync(LAST_RESORT)) rmdirSync(LAST_RESORT);
  await dir.remove();
});

function choose(stateDir: string, naming: Partial<EndpointNaming> = {}): Endpoint {
  return chooseEndpoint({ stateDir, shortKey: KEY, epoch: 7, instance: "abcdef0123", ...naming });
}

function failureOf(act: () => unknown): BrokerError {
  try {
    act();
  } catch (error) {
    if (BrokerError.is(error)) return error;
    throw error;
  }
  throw new Error("it went well");
}

/** A state directory whose socket path would have that many bytes. */
function stateDirFor(bytes: number, letter = "x"): string {
  const name = join("run", `${KEY}.7.abcdef.sock`);
  const rest = bytes - Buffer.byteLength(join(dir.path, "", name)) - 1;
  return join(dir.path, letter.repeat(rest / Buffer.byteLength(letter)));
}

describe.skipIf(ON_WINDOWS)("a socket", () => {
  test("lies in a private directory, beside the fixed path", () => {
    const { address, current } = choose(dir.path);
    expect(address).toBe(join(dir.path, "run", `${KEY}.7.abcdef.sock`));
    expect(current).toBe(join(dir.path, "run", `${KEY}.current`));
    expect(lstatSync(join(dir.path, "run")).mode & 0o777).toBe(0o700);
  });

  test("F09 F85: has a path of 100 bytes at most, counted in bytes, whatever TMPDIR is", () => {
    const fits = stateDirFor(MAX_SOCKET_PATH_BYTES);
    expect(choose(fits).address).toBe(join(fits, "run", `${KEY}.7.abcdef.sock`));
    const tooLong = stateDirFor(MAX_SOCKET_PATH_BYTES + 1);
    expect(choose(tooLong).address).toBe(join(LAST_RESORT, `${KEY}.7.abcdef.sock`));
    expect(existsSync(tooLong)).toBe(false);
    const inBytes = join(dir.path, "漢".repeat(20));
    expect(choose(inBytes).address.startsWith(LAST_RESORT)).toBe(true);
  });

  test("F09: goes to the runtime directory of the login before it goes to /tmp", () => {
    const tooLong = stateDirFor(MAX_SOCKET_PATH_BYTES + 1);
    process.env["XDG_RUNTIME_DIR"] = dir.path;
    expect(choose(tooLong)).toEqual({
      address: join(dir.path, "codex-broker", `${KEY}.7.abcdef.sock`),
      current: join(dir.path, "codex-broker", `${KEY}.current`),
    });
    for (const useless of ["relative/path", "", tooLong]) {
      process.env["XDG_RUNTIME_DIR"] = useless;
      expect(choose(tooLong).address.startsWith(LAST_RESORT)).toBe(true);
    }
  });

  test("F09: passes over a runtime directory that is not this user's alone", () => {
    const tooLong = stateDirFor(MAX_SOCKET_PATH_BYTES + 1);
    writeFileSync(join(dir.path, "file"), "");
    mkdirSync(join(dir.path, "open"));
    chmodSync(join(dir.path, "open"), 0o777);
    for (const name of ["file", "open", "missing"]) {
      process.env["XDG_RUNTIME_DIR"] = join(dir.path, name);
      expect(choose(tooLong).address.startsWith(LAST_RESORT)).toBe(true);
    }
    expect(existsSync(join(dir.path, "missing"))).toBe(false);
  });

  test("F91: is not put where others may write", () => {
    mkdirSync(join(dir.path, "run"));
    chmodSync(join(dir.path, "run"), 0o777);
    const error = failureOf(() => choose(dir.path));
    expect(error).toMatchObject({
      kind: "stateDirUnsafe",
      details: { path: join(dir.path, "run") },
    });
  });

  test("F09: that fits nowhere is refused with all that was tried, and nothing is made", () => {
    process.env["XDG_RUNTIME_DIR"] = dir.path;
    const error = failureOf(() => choose(dir.path, { shortKey: "k".repeat(100) }));
    expect(error).toMatchObject({ kind: "socketPathTooLong" });
    expect(error.hint).toContain("CODEX_BROKER_STATE_DIR");
    expect(error.details["tried"]).toHaveLength(3);
    expect(existsSync(join(dir.path, "run"))).toBe(false);
  });

  test("S5 F24: has a name that no other instance ever has", () => {
    const names = new Set<string>();
    for (let epoch = 1; epoch <= 20; epoch += 1) {
      for (const instance of ["aaaaaa11", "bbbbbb11", "cccccc11"]) {
        names.add(choose(dir.path, { epoch, instance }).address);
      }
    }
    expect(names.size).toBe(60);
    expect(choose(dir.path, { shortKey: "another12345" }).current).not.toBe(
      choose(dir.path).current,
    );
  });

  test("F85: is where Node really listens, at the longest path that is allowed", async () => {
    const { address } = choose(stateDirFor(MAX_SOCKET_PATH_BYTES));
    const server = createServer().listen(address);
    await once(server, "listening");
    expect(lstatSync(address).isSocket()).toBe(true);
    server.close();
  });
});

describe.skipIf(!ON_WINDOWS)("a named pipe", () => {
  test("has a name that nobody guesses, never the same twice, and no fixed path", () => {
    const [one, other] = [choose(dir.path), choose(dir.path)];
    expect(one.address).toMatch(/^\\\\\.\\pipe\\codex-broker-[0-9a-f]{32}$/);
    expect(other.address).not.toBe(one.address);
    expect(one.current).toBeNull();
  });

  test("is where Node listens, whole lines go both ways, and nobody is there after the end", async () => {
    const { address } = choose(dir.path);
    const server = createServer((socket) => socket.pipe(socket)).listen(address);
    await once(server, "listening");
    const client = connect(address);
    const sent = `${"x".repeat(200_000)}\n`;
    client.write(sent);
    let seen = "";
    for await (const chunk of client.setEncoding("utf8")) {
      seen += String(chunk);
      if (seen.endsWith("\n")) break;
    }
    expect(seen).toBe(sent);
    client.destroy();
    server.close();
    await once(server, "close");
    const late = connect(address);
    await expect(once(late, "connect")).rejects.toMatchObject({ code: "ENOENT" });
  });

  test.skipIf(differs("firstPipeInstance"))("belongs to the first who listens on it", async () => {
    const { address } = choose(dir.path);
    const first = createServer().listen(address);
    await once(first, "listening");
    const second = createServer().listen(address);
    await expect(once(second, "listening")).rejects.toMatchObject({ code: "EADDRINUSE" });
    first.close();
    await once(first, "close");
  });
});

test("F04: no place for sockets depends on TMPDIR", () => {
  const before = socketDirectories("/state");
  const tmpdir = process.env["TMPDIR"];
  process.env["TMPDIR"] = "/elsewhere";
  try {
    expect(socketDirectories("/state")).toEqual(before);
  } finally {
    if (tmpdir === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = tmpdir;
  }
});
