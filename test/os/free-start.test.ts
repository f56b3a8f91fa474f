import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startOutsideJob } from "../../src/os/free-start.ts";
import {
  descriptorsOf,
  environmentBlock,
  quoted,
} from "../../src/os/kernel/win32-create-process.ts";
import { identityOf, livenessOf } from "../../src/os/process-identity.ts";
import { killProven } from "../../src/os/verified-kill.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { ON_WINDOWS } from "../support/wine.ts";

guardAgainstLeaks();

const OUTSIDE = fileURLToPath(new URL("../fixtures/started-outside.cjs", import.meta.url));

describe("what Windows is given for a new process", () => {
  test("are arguments that come apart again as they were", () => {
    expect(["plain", "", "two words", 'a "b"', "C:\\dir\\", "C:\\a dir\\"].map(quoted)).toEqual([
      "plain",
      '""',
      '"two words"',
      '"a \\"b\\""',
      "C:\\dir\\",
      '"C:\\a dir\\\\"',
    ]);
  });

  test("are variables in order of their names, whatever the case", () => {
    expect(environmentBlock({ b: "2", A: "1", gone: undefined, C: "" })).toBe("A=1\0b=2\0C=\0");
  });

  test("are descriptors as the C library writes them: a count, a byte each, a handle each", () => {
    const bytes = [
      "03000000",
      "090009",
      "0800000000000000",
      "0000000000000000",
      "1000000001000000",
    ];
    expect(descriptorsOf([8, 0, 0x1_0000_0010]).toString("hex")).toBe(bytes.join(""));
  });

  test("is nothing where no job would take it along", () => {
    const start = { program: "", args: [], cwd: "", env: {}, logPath: "", input: Buffer.alloc(0) };
    expect(startOutsideJob(start)).toBeUndefined();
  });
});

describe.skipIf(!ON_WINDOWS)("a host whose job ends with it", () => {
  let dir: TempDir;
  let host: string;

  beforeAll(async () => {
    // Where it finds koffi.
    dir = await makeTempDir(process.cwd());
    host = join(dir.path, "host.mjs");
    await build({
      entryPoints: [fileURLToPath(new URL("../fixtures/jobs-host.ts", import.meta.url))],
      outfile: host,
      bundle: true,
      platform: "node",
      format: "esm",
    });
    await stop();
  });
  afterAll(() => dir.remove());

  test("S4 F18: takes a detached process along when it is killed, and not the one that was started outside", async () => {
    const logPath = join(dir.path, "log");
    const child = spawn(process.execPath, [host, OUTSIDE, logPath], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const told = JSON.parse(String((await once(child.stdout, "data"))[0])) as {
      readonly entered: object;
      readonly inside: number;
      readonly outside: number;
      readonly report: string;
    };
    expect(told.entered).toMatchObject({ holdsTree: true });
    expect(JSON.parse(told.report)).toEqual({
      input: "all of its input",
      args: ['quotes " and blanks', "backslash\\"],
      env: "to the one outside",
      cwd: process.cwd(),
    });
    const [inside, outside] = [identityOf(told.inside), identityOf(told.outside)];
    expect([livenessOf(inside), livenessOf(outside)]).toEqual(["alive", "alive"]);

    child.kill("SIGKILL");
    await eventually(() => livenessOf(inside) === "gone", "the detached process ends");
    expect(livenessOf(outside)).toBe("alive");
    expect(readFileSync(logPath, "utf8")).toBe("to the log\nand this\n");
    expect(killProven(outside, "SIGKILL")).toBe("signalled");
    await eventually(() => livenessOf(outside) === "gone", "the one outside ends");
  });
});
