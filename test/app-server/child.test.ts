import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import type { BrokerError } from "../../src/base/errors.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { pidOf, spawnFixture, spawnLines } from "./fixture-child.ts";
import { put } from "./install-tree.ts";
import { lineOf } from "../../src/wire/line.ts";

guardAgainstLeaks();

let dir: TempDir;
beforeEach(async () => void (dir = await makeTempDir()));
afterEach(async () => await dir.remove());

const ON_POSIX = process.platform !== "win32";
const ON_LINUX = process.platform === "linux";

describe("an exit", () => {
  test("is reported after every line that was written before it", async () => {
    const { child, lines } = spawnFixture("last-words.mjs", ["3000", "3"]);
    const exit = await child.exited;
    expect(exit).toEqual({ code: 3, signal: null, stderrTail: "first words\nlast words" });
    expect(child.exit).toBe(exit);
    expect(lines.length).toBe(3000);
    expect(lines.at(-1)).toContain('"n":2999');
  });

  test("F52: by a signal has that signal, and no code that could pass for success", async () => {
    const family = spawnFixture("stubborn.mjs");
    await family.seen(() => true);
    family.child.kill("SIGKILL");
    expect(await family.child.exited).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  test("F97: is reported although a descendant holds the pipes, with what was written before it", async () => {
    const family = spawnFixture("parent.mjs");
    const held = [await pidOf(family, "plain"), await pidOf(family, "shell")];
    held.push(await pidOf(family, "tool"), await pidOf(family, "orphan"));
    family.child.kill("SIGKILL");
    // The pipes stay open until the descendants end, which is below.
    expect(await family.child.exited).toMatchObject({ signal: "SIGKILL" });
    for (const pid of held) process.kill(pid, "SIGKILL");
  });

  test("F97: is reported after the last lines even when the event loop was blocked meanwhile", async () => {
    const { child, lines } = spawnFixture("last-words.mjs", ["300"]);
    await pause(1);
    const busyUntil = performance.now() + 1_000;
    while (performance.now() < busyUntil);
    await child.exited;
    expect(lines.length).toBe(300);
  });
});

describe("stdin", () => {
  test("F50: writing to a child that has gone is no error of ours", async () => {
    const { child } = spawnFixture("last-words.mjs");
    const line = lineOf(JSON.stringify({ pad: "x".repeat(100_000) }));
    for (let index = 0; index < 20; index += 1) child.send(line);
    await child.exited;
    for (let index = 0; index < 20; index += 1) child.send(line);
    child.end();
    child.kill("SIGTERM");
    await pause(50);
  });

  describe.runIf(ON_POSIX)("on POSIX", () => {
    test("F50: writing to a child that has closed its stdin but lives on is a fault of its own", async () => {
      const faults: BrokerError[] = [];
      const script = "exec 0<&-; echo '{}'; exec sleep 60";
      const family = spawnLines({
        codex: "/bin/sh",
        args: ["-c", script],
        onFault: (fault) => void faults.push(fault),
      });
      await family.seen(() => true);
      for (let index = 0; index < 20; index += 1) {
        family.child.send(lineOf("x".repeat(10_000)));
        await pause(1);
      }
      await expect
        .poll(() => faults, { timeout: 5_000 })
        .toMatchObject([{ kind: "invalidAnswer" }]);
      expect(faults[0]?.message).toContain("has closed a pipe to us and lives on");
      expect(family.child.exit).toBeUndefined();
      family.child.kill("SIGKILL");
      await family.child.exited;
    });
  });

  test("what the child does not read is counted", async () => {
    const family = spawnLines({
      codex: process.execPath,
      args: ["-e", "console.log('{}'); setTimeout(() => {}, 60_000)"],
    });
    await family.seen(() => true);
    expect(family.child.queuedBytes).toBe(0);
    family.child.send(lineOf("x".repeat(2 ** 20)));
    await pause(50);
    expect(family.child.queuedBytes).toBeGreaterThan(2 ** 18);
    family.child.kill("SIGKILL");
    await family.child.exited;
  });
});

describe("stdout", () => {
  const print = (script: string): string[] => ["-e", script];

  test("F48: noise between messages is skipped and counted", async () => {
    const faults: BrokerError[] = [];
    const { child, lines } = spawnLines({
      codex: process.execPath,
      args: print(
        `for (let i = 0; i < 300; i += 1) console.log("banner\\n\\u001b[?2004h{\\"n\\":" + i + "}")`,
      ),
      onFault: (fault) => void faults.push(fault),
    });
    await child.exited;
    expect(lines.length).toBe(300);
    expect(lines[7]).toBe('{"n":7}');
    expect(child.noiseLines).toBe(300);
    expect(faults).toEqual([]);
  });

  test("F48: nothing but noise is a fault, told once with a sample", async () => {
    const faults: BrokerError[] = [];
    const { child } = spawnLines({
      codex: process.execPath,
      args: print(`for (let i = 0; i < 500; i += 1) console.log("I am no app-server")`),
      onFault: (fault) => void faults.push(fault),
    });
    await child.exited;
    expect(faults).toMatchObject([
      { kind: "invalidAnswer", details: { sample: "I am no app-server", codex: process.execPath } },
    ]);
  });

  test("a line over the limit is a fault, and what follows it still comes", async () => {
    const faults: BrokerError[] = [];
    const { child, lines } = spawnLines({
      codex: process.execPath,
      args: print(`console.log('{"a":"' + "x".repeat(5000) + '"}'); console.log('{"b":1}')`),
      maxLineBytes: 1_000,
      onFault: (fault) => void faults.push(fault),
    });
    await child.exited;
    expect(faults).toMatchObject([{ kind: "invalidAnswer", details: { maxLineBytes: 1_000 } }]);
    expect(lines).toEqual(['{"b":1}']);
  });

  const long = `"x".repeat(5000)`;
  const tell = (words: string): string => `console.log(${words}); console.log('{"b":1}')`;

  test("F99: a line over the limit is no fault when its beginning says what it was", async () => {
    const faults: BrokerError[] = [];
    const heads: string[] = [];
    const { child, lines } = spawnLines({
      codex: process.execPath,
      args: print(tell(`'{"id":1,"result":"' + ${long} + '"}'`)),
      maxLineBytes: 1_000,
      onOversized: (head) => heads.push(head.toString().slice(0, 16)) > 0,
      onFault: (fault) => void faults.push(fault),
    });
    await child.exited;
    expect({ faults, heads, lines }).toEqual({
      faults: [],
      heads: ['{"id":1,"result"'],
      lines: ['{"b":1}'],
    });
  });

  test("F99: a line over the limit that is no message is noise", async () => {
    const faults: BrokerError[] = [];
    const { child, lines } = spawnLines({
      codex: process.execPath,
      args: print(tell(long)),
      maxLineBytes: 1_000,
      onFault: (fault) => void faults.push(fault),
    });
    await child.exited;
    expect({ faults, lines, noise: child.noiseLines }).toEqual({
      faults: [],
      lines: ['{"b":1}'],
      noise: 1,
    });
  });
});

describe("a child that cannot be started", () => {
  test("has ended, with the reason, and takes every call", async () => {
    const { child } = spawnLines({ codex: join(dir.path, "missing") });
    child.send(lineOf("{}"));
    child.end();
    child.kill("SIGKILL");
    const exit = await child.exited;
    expect(exit).toMatchObject({ code: null, signal: null, stderrTail: "" });
    expect(exit.spawnError).toMatchObject({ code: "ENOENT" });
    expect(child.pid).toBeUndefined();
  });

  test("nor by way of an exception", async () => {
    const { child } = spawnLines({ codex: join(dir.path, "with\0null") });
    expect((await child.exited).spawnError).toBeInstanceOf(Error);
    child.send(lineOf("{}"));
    child.end();
    child.kill("SIGKILL");
  });

  test("is told from a directory that is missing", async () => {
    const { child } = spawnLines({ codex: process.execPath, cwd: join(dir.path, "missing") });
    expect((await child.exited).spawnError).toMatchObject({ code: "ENOENT" });
  });
});

describe.runIf(ON_POSIX)("the process", () => {
  test("F76: is the program itself, with its arguments as they are and no shell between", async () => {
    const odd = ["a b", "$HOME", ";id", "`id`", '"', "'", "%PATH%", "*"];
    const codex = put(
      join(dir.path, "codex with blank"),
      `#!${process.execPath}\nconsole.log(JSON.stringify({ argv: process.argv.slice(2), ppid: process.ppid, cwd: process.cwd(), env: process.env }))\n`,
    );
    const cwd = join(dir.path, "neutral");
    mkdirSync(cwd);
    const { child, lines } = spawnLines({
      codex,
      args: ["app-server", ...odd],
      cwd,
      env: { ONLY: "this" },
    });
    await child.exited;
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      argv: ["app-server", ...odd],
      ppid: process.pid,
      cwd,
      env: { ONLY: "this" },
    });
  });

  test("is an app-server unless told otherwise", async () => {
    const codex = put(
      join(dir.path, "codex"),
      `#!${process.execPath}\nconsole.log(JSON.stringify(process.argv.slice(2)).replace("[", '{"a":[') + "}")\n`,
    );
    const { child, lines } = spawnLines({ codex });
    await child.exited;
    expect(lines).toEqual(['{"a":["app-server"]}']);
  });
});

describe.runIf(ON_LINUX)("descriptors", () => {
  test("F96: the soft limit of the child is the hard limit, however low ours was set", async () => {
    const grandchild = `console.log(require("fs").readFileSync("/proc/self/limits", "utf8"))`;
    const parent = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(grandchild)}], { stdio: "inherit" })`;
    const script = `ulimit -Sn 128 && exec "$0" -e "$1"`;
    const { stdout } = await promisify(execFile)("/bin/sh", [
      "-c",
      script,
      process.execPath,
      parent,
    ]);
    const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(stdout) ?? [];
    expect(soft).toBe(hard);
    expect(Number(soft)).toBeGreaterThan(128);

    const family = spawnFixture("stubborn.mjs");
    await family.seen(() => true);
    const limits = readFileSync(`/proc/${String(family.child.pid)}/limits`, "utf8");
    expect(limits).toMatch(/^Max open files\s+(\d+)\s+\1\s/m);
    family.child.kill("SIGKILL");
    await family.child.exited;
  });
});
