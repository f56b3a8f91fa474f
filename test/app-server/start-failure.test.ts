import { expect, test } from "vitest";
import type { AppServerExit } from "../../src/app-server/child.ts";
import { isStateDatabaseLocked, startFailure } from "../../src/app-server/start-failure.ts";
import type { BrokerError } from "../../src/base/errors.ts";

const codex = "/opt/codex";

function failed(exit: Partial<AppServerExit>): BrokerError {
  const whole = { code: null, signal: null, stderrTail: "", ...exit };
  return startFailure({ codex, version: "0.169.0", exit: whole });
}

function notSpawned(code: string): BrokerError {
  return failed({ spawnError: Object.assign(new Error(`spawn ${codex} ${code}`), { code }) });
}

/** As 0.169.0 said it after 15 s before a state_5.sqlite that another process held. */
const LOCKED = [
  'WARNING: proceeding, even though we could not create PATH aliases: Refusing to create helper binaries under temporary dir "/tmp" (codex_home: AbsolutePathBuf("/tmp/home"))',
  "Error: failed to initialize sqlite state runtime under /tmp/home: failed to initialize state runtime at /tmp/home: failed to open state DB at /tmp/home/state_5.sqlite: error returned from database: (code: 5) database is locked: error returned from database: (code: 5) database is locked: (code: 5) database is locked",
].join("\n");

/** As it said it in a home that belongs to somebody else: no lock, and waiting would not help. */
const READ_ONLY =
  "Error: failed to initialize sqlite state runtime under /tmp/home: failed to open state DB at /tmp/home/state_5.sqlite: error returned from database: (code: 1544) attempt to write a readonly database";

test("every failure carries binary, version, exit and the last words", () => {
  expect(failed({ code: 1, stderrTail: "one\ntwo" }).toJSON()).toMatchObject({
    kind: "appServerStartFailed",
    message: `${codex} exited with code 1 before it answered: two`,
    details: { codex, version: "0.169.0", code: 1, signal: null, stderrTail: "one\ntwo" },
  });
});

test("F81: a locked state database is told from every other one, and may be tried again", () => {
  expect(isStateDatabaseLocked(LOCKED)).toBe(true);
  expect(isStateDatabaseLocked(READ_ONLY)).toBe(false);
  expect(isStateDatabaseLocked("")).toBe(false);
  expect(failed({ code: 1, stderrTail: LOCKED })).toMatchObject({
    kind: "appServerStartFailed",
    retryable: true,
    details: { stateDatabaseLocked: true },
  });
  expect(failed({ code: 1, stderrTail: READ_ONLY }).details).not.toHaveProperty(
    "stateDatabaseLocked",
  );
});

test("F47, F52: neither code 0 nor a signal passes for a start", () => {
  expect(failed({ code: 0 }).message).toContain("exited with code 0");
  expect(failed({ signal: "SIGKILL" }).message).toContain("was ended by SIGKILL");
  for (const exit of [{ code: 0 }, { signal: "SIGKILL" } as const]) {
    expect(failed(exit)).toMatchObject({ kind: "appServerStartFailed", details: exit });
  }
});

test("a CODEX_HOME that is missing or no directory is named", () => {
  for (const why of ["does not exist", "is not a directory"]) {
    const text = `CODEX_HOME points to "/nowhere", but that path ${why}`;
    const stderrTail = `WARNING: proceeding, even though we could not create PATH aliases: ${text}\nError: ${text}`;
    expect(failed({ code: 1, stderrTail })).toMatchObject({
      kind: "codexHomeMissing",
      message: `${codex} did not start: ${text}.`,
    });
  }
});

test("F82: the panic in a macOS sandbox is told from other panics", () => {
  const panic = (text: string): BrokerError =>
    failed({ code: 101, stderrTail: `thread 'main' panicked at ${text}` });
  expect(panic("Attempted to create a NULL object. SCDynamicStore").kind).toBe("sandboxDenied");
  expect(panic("index out of bounds").kind).toBe("appServerStartFailed");
});

test("a codex without an app-server is too old", () => {
  const stderrTail = "error: unrecognized subcommand 'app-server'";
  expect(failed({ code: 2, stderrTail }).kind).toBe("codexTooOld");
});

test("F75: a binary that the system will not start is unusable, with the reason", () => {
  for (const code of ["ENOENT", "EACCES", "EPERM", "EINVAL", "ENOEXEC"]) {
    expect(notSpawned(code)).toMatchObject({ kind: "codexUnusable", retryable: false });
    expect(notSpawned(code).message).toContain(code);
  }
});

test("F96: a lack of descriptors or processes may pass, so it is no fault of the binary", () => {
  for (const code of ["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"]) {
    expect(notSpawned(code)).toMatchObject({ kind: "systemLimit", retryable: true });
  }
});

test("without /proc, which Codex needs, it is the sandbox that is named", () => {
  const exit = { code: 1, signal: null, stderrTail: "Error: no path" };
  expect(startFailure({ codex, exit, hasProc: false })).toMatchObject({
    kind: "sandboxDenied",
    message: expect.stringContaining("no /proc"),
  });
});

test("what is quoted is the error, not the last line of a backtrace", () => {
  const stderrTail = "WARNING: odd\nError: not configured\nStack backtrace:\n   0: <unknown>";
  expect(failed({ code: 1, stderrTail }).message).toMatch(
    /before it answered: Error: not configured$/,
  );
});
