import { describe, expect, test } from "vitest";
import { importsOfFile } from "./source-imports.ts";
import { filesLoadedWith, syncCallsIn, syncCallsOfFile } from "./sync-calls.ts";

/** A file of the broker process that blocks its event loop, with what and why that is short. */
interface Allowed {
  readonly calls: readonly string[];
  readonly because: string;
}

const OWN_DIRECTORY =
  "small files of this program in the state directory or the directory of sockets";

const ALLOWED: Readonly<Record<string, Allowed>> = {
  "app-server/start.ts": { calls: ["existsSync"], because: "/proc/self, which is memory" },
  "broker/ground.ts": { calls: ["statSync"], because: "its own socket" },
  "broker/listener.ts": {
    calls: ["chmodSync", "readlinkSync", "symlinkSync"],
    because: "its own socket and the fixed path beside it",
  },
  "broker/log.ts": {
    calls: ["fstatSync", "ftruncateSync", "writeSync"],
    because: "one line of its log, whose size is bounded",
  },
  "broker/main.ts": {
    calls: ["closeSync", "writeSync"],
    because: "one line to its starter, once, through a pipe that has room for it",
  },
  "lifecycle/epoch-file.ts": {
    calls: ["readFileSync", "readdirSync", "renameSync", "rmdirSync"],
    because: `${OWN_DIRECTORY}; 20 records are kept in a scope`,
  },
  "lifecycle/figures-sum.ts": { calls: ["readFileSync"], because: OWN_DIRECTORY },
  "lifecycle/left-overs.ts": {
    calls: ["readdirSync", "readlinkSync"],
    because: `${OWN_DIRECTORY}, after a change of these only`,
  },
  "os/atomic-file.ts": {
    calls: ["Atomics.wait", "existsSync", "linkSync", "renameSync", "unlinkSync", "writeFileSync"],
    because: `${OWN_DIRECTORY}; the wait is for Windows, and half a second at most`,
  },
  "os/file-mark.ts": {
    calls: ["statSync"],
    because: `${OWN_DIRECTORY}; readSignature is for all other paths`,
  },
  "os/host-mark.ts": {
    calls: ["readFileSync", "statSync", "statfsSync"],
    because: "two files of the system below /etc and /var, once",
  },
  "os/kernel/linux.ts": {
    calls: ["readdirSync", "readlinkSync"],
    because: "/proc, which is memory; callers of list rest for 50 times what it took",
  },
  "os/private-directory.ts": {
    calls: ["closeSync", "fchmodSync", "fstatSync", "lstatSync", "mkdirSync", "openSync"],
    because: OWN_DIRECTORY,
  },
  "os/proc-stat.ts": { calls: ["readFileSync"], because: "/proc, which is memory" },
  "os/unix-sockets.ts": {
    calls: ["readFileSync", "readdirSync", "readlinkSync"],
    because: "/proc, which is memory",
  },
  "os/process-usage.ts": {
    calls: ["readFileSync", "readdirSync"],
    because: "/proc, which is memory; callers rest for 50 times what it took",
  },
};

describe("the event loop of a broker", () => {
  const files = filesLoadedWith("broker/main.ts");

  test("F121: is blocked by no call that is not listed with the reason why it is short", () => {
    expect(files).toContain("app-server/child.ts");
    expect(files).toContain("jobs/retention.ts");
    expect(files.length).toBeGreaterThan(100);
    const found = Object.fromEntries(
      files
        .map((file) => [file, syncCallsOfFile(file)] as const)
        .filter(([, calls]) => calls.length > 0),
    );
    const allowed = Object.fromEntries(
      Object.entries(ALLOWED).map(([file, { calls }]) => [file, calls]),
    );
    expect(found).toEqual(allowed);
  });

  test("F121: starts processes, threads and native calls only in the files that are listed", () => {
    const modules = /^(?:node:)?(?:child_process|worker_threads|module|vm|wasi|inspector)$/;
    expect(
      files.filter((file) =>
        importsOfFile(file).some(
          ({ specifier, typeOnly }) => !typeOnly && modules.test(specifier ?? ""),
        ),
      ),
    ).toEqual([
      "app-server/child.ts",
      // Through the shell of the system, so that a disk which hangs blocks that.
      "broker/codex-version-watch.ts",
      "broker/watchdog.ts",
      "os/kernel/koffi.ts",
    ]);
  });

  test("the calls are found under whatever name and in whatever place they stand", () => {
    const text = [
      `import fs, { statSync, readFileSync as read } from "node:fs";`,
      `fs.realpathSync.native("x");`,
      `["a"].map(statSync);`,
      `Atomics.wait(a, 0, 0, 1);`,
      `const { openSync: open } = fs;`,
    ].join("\n");
    expect(syncCallsIn("x.ts", text)).toEqual([
      "Atomics.wait",
      "openSync",
      "readFileSync",
      "realpathSync",
      "statSync",
    ]);
  });
});
