import { chmodSync, chownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { closeToOthers, dangerOf, ensurePrivateDirectory } from "../../src/os/private-directory.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { CAN_MOUNT, mountTinyDisk } from "../support/tiny-disk.ts";
import { differs } from "../support/wine.ts";

guardAgainstLeaks();

const POSIX = process.platform !== "win32";
const ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;

let dir: TempDir;
let path: string;
beforeEach(async () => {
  dir = await makeTempDir();
  path = join(dir.path, "private");
});
afterEach(() => dir.remove());

function refusalOf(refused: string): BrokerError {
  try {
    ensurePrivateDirectory(refused);
  } catch (error) {
    if (BrokerError.is(error)) return error;
    throw error;
  }
  throw new Error(`${refused} was accepted`);
}

function modeOf(of: string): number {
  return lstatSync(of).mode & 0o777;
}

describe("a private directory", () => {
  test("F91: is made with the directories above it, for this user alone", () => {
    const umask = process.umask(0);
    try {
      ensurePrivateDirectory(join(path, "below"));
    } finally {
      process.umask(umask);
    }
    expect(lstatSync(join(path, "below")).isDirectory()).toBe(true);
    if (POSIX) expect([path, join(path, "below")].map(modeOf)).toEqual([0o700, 0o700]);
  });

  test("may be there already, with what is in it", () => {
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, "file"), "kept");
    ensurePrivateDirectory(path);
    ensurePrivateDirectory(path);
    expect(lstatSync(join(path, "file")).size).toBe(4);
    expect(dangerOf(path)).toBeUndefined();
  });
});

describe("F91: what others could have prepared is refused, and left as it is", () => {
  test.skipIf(differs("symbolicLinks"))(
    "a symbolic link, even to a directory that would do",
    () => {
      ensurePrivateDirectory(join(dir.path, "real"));
      symlinkSync(join(dir.path, "real"), path);
      const error = refusalOf(path);
      expect(error).toMatchObject({ kind: "stateDirUnsafe", details: { path } });
      expect(error.message).toBe(`${path} is a symbolic link.`);
      expect(error.hint).toContain("CODEX_BROKER_STATE_DIR");
    },
  );

  test.skipIf(differs("symbolicLinks"))(
    "a symbolic link that leads nowhere, and nothing is made behind it",
    () => {
      symlinkSync(join(dir.path, "nowhere"), path);
      expect(refusalOf(path)).toMatchObject({ kind: "stateDirUnsafe", details: { path } });
      expect(() => lstatSync(join(dir.path, "nowhere"))).toThrow("ENOENT");
    },
  );

  test("a file", () => {
    writeFileSync(path, "mine");
    expect(refusalOf(path)).toMatchObject({
      kind: "stateDirUnsafe",
      message: `${path} is not a directory.`,
    });
  });

  test.skipIf(!POSIX).each([0o777, 0o755, 0o750, 0o701, 0o1777])(
    "a directory with mode %o, with the command that mends it",
    (mode) => {
      mkdirSync(path);
      chmodSync(path, mode);
      const error = refusalOf(path);
      expect(error).toMatchObject({ kind: "stateDirUnsafe", hint: `Run \`chmod 700 ${path}\`.` });
      expect(error.message).toContain(`mode ${(mode & 0o777).toString(8)}`);
      expect(modeOf(path)).toBe(mode & 0o777);
      chmodSync(path, 0o700);
      ensurePrivateDirectory(path);
    },
  );

  test.skipIf(!POSIX)("a directory of somebody else, whatever its mode", () => {
    // Root can give one away; for everybody else the root directory is somebody else's.
    if (ROOT) {
      mkdirSync(path, { mode: 0o700 });
      chownSync(path, NOBODY, NOBODY);
    }
    const others = ROOT ? path : "/";
    const error = refusalOf(others);
    expect(error).toMatchObject({ kind: "stateDirUnsafe", details: { path: others } });
    expect(error.message).toMatch(/belongs to user \d+, not to this user \(\d+\)/);
  });
});

describe.skipIf(!POSIX)("closing a directory to others", () => {
  test("changes its mode", () => {
    mkdirSync(path);
    chmodSync(path, 0o755);
    closeToOthers(path);
    expect(modeOf(path)).toBe(0o700);
  });

  test("does not follow a symbolic link: what it leads to keeps its mode", () => {
    const real = join(dir.path, "real");
    mkdirSync(real);
    chmodSync(real, 0o755);
    symlinkSync(real, path);
    expect(() => closeToOthers(path)).toThrow(
      expect.objectContaining({ kind: "stateDirUnusable", details: expect.anything() }),
    );
    expect(modeOf(real)).toBe(0o755);
  });

  test("refuses a directory of another user, which keeps its mode", () => {
    // Root can give one away; for everybody else the root directory is another user's.
    if (ROOT) {
      mkdirSync(path);
      chmodSync(path, 0o755);
      chownSync(path, NOBODY, NOBODY);
    }
    const others = ROOT ? path : "/";
    const before = modeOf(others);
    expect(() => closeToOthers(others)).toThrow(
      expect.objectContaining({ kind: "stateDirUnsafe" }),
    );
    expect(modeOf(others)).toBe(before);
  });

  test("refuses a file, which keeps its mode", () => {
    writeFileSync(path, "mine", { mode: 0o644 });
    expect(() => closeToOthers(path)).toThrow(
      expect.objectContaining({ kind: "stateDirUnusable" }),
    );
    expect(modeOf(path)).toBe(0o644);
  });
});

describe("a directory that cannot be made is told with its path and the reason", () => {
  test("below a file", () => {
    writeFileSync(path, "");
    const error = refusalOf(join(path, "below"));
    expect(error).toMatchObject({
      kind: "stateDirUnusable",
      details: { path: join(path, "below"), errno: POSIX ? "ENOTDIR" : "ENOENT" },
    });
    expect(error.message).toContain(join(path, "below"));
    expect(error.hint).toContain("CODEX_BROKER_STATE_DIR");
  });

  // Root may do everything, so he has to become somebody else for it.
  test.skipIf(!POSIX)("where this user may not write", () => {
    mkdirSync(path, { mode: 0o500 });
    chmodSync(dir.path, 0o711);
    const error = asNobody(() => refusalOf(join(path, "below")));
    expect(error).toMatchObject({ kind: "stateDirUnusable", details: { errno: "EACCES" } });
  });

  test.skipIf(!CAN_MOUNT)("on a disk that is full", () => {
    using disk = mountTinyDisk(4096, 2);
    ensurePrivateDirectory(join(disk.path, "first"));
    expect(refusalOf(join(disk.path, "second"))).toMatchObject({
      kind: "stateDirUnusable",
      details: { path: join(disk.path, "second"), errno: "ENOSPC" },
    });
  });

  test.skipIf(!CAN_MOUNT)(
    "on a disk that is closed to writers, while what is there may be used",
    () => {
      using disk = mountTinyDisk(4096);
      ensurePrivateDirectory(join(disk.path, "there"));
      disk.makeReadOnly();
      ensurePrivateDirectory(join(disk.path, "there"));
      expect(refusalOf(join(disk.path, "missing"))).toMatchObject({
        kind: "stateDirUnusable",
        details: { errno: "EROFS" },
      });
    },
  );
});

function asNobody<T>(act: () => T): T {
  if (!ROOT) return act();
  process.seteuid?.(NOBODY);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}
