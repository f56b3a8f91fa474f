import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { publishEpoch } from "../../src/lifecycle/epoch-file.ts";
import { formatDirectory } from "../../src/lifecycle/state-directory.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { servingRecord } from "./records.ts";

guardAgainstLeaks();
afterAll(() => stop());

const KEY = "0123456789abcdef".repeat(2);

test.skipIf(process.platform !== "linux")(
  "a process without descriptors proves nothing about a broker: neither that it is gone, nor that its socket is unused (F133 F174 F16)",
  async () => {
    await using dir = await makeTempDir();
    const stateDir = join(dir.path, "state");
    const run = join(stateDir, "run");
    const scopeDir = join(formatDirectory(stateDir), KEY);
    for (const each of [stateDir, run, formatDirectory(stateDir), scopeDir]) {
      mkdirSync(each, { mode: 0o700 });
    }
    const endpoint = join(run, `${KEY.slice(0, 12)}.7.fedcba.sock`);
    const record = servingRecord({ epoch: 7, endpoint });
    publishEpoch(scopeDir, record);
    const server = createServer((socket) => socket.destroy()).listen(endpoint);
    await once(server, "listening");
    const program = join(dir.path, "program.mjs");
    await build({
      entryPoints: [
        fileURLToPath(new URL("../fixtures/lifecycle/out-of-descriptors.ts", import.meta.url)),
      ],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: program,
      logLevel: "error",
    });
    const args = [process.execPath, program, scopeDir, stateDir, JSON.stringify(record)];
    const child = spawn("sh", ["-c", `ulimit -n 60; exec "$0" "$@"`, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    expect(JSON.parse(await text(child.stdout))).toEqual({
      contact: { kind: "unable", code: "EMFILE" },
      reached: "unable",
      asked: "unknown",
      reading: {
        state: "unreadable",
        epoch: 7,
        damaged: false,
        code: "EMFILE",
        why: expect.stringContaining("EMFILE") as string,
      },
      liveness: "unknown",
      mended: { done: false, did: expect.stringContaining("EMFILE") as string },
    });
    expect(existsSync(endpoint)).toBe(true);
    server.close();
    await once(server, "close");
  },
);
