import { bindNative } from "../../src/os/kernel/koffi.ts";

export const ON_WINDOWS = process.platform === "win32";

/** A Windows program cannot see it, but Wine's `ntdll` has a function more. */
export const UNDER_WINE =
  ON_WINDOWS &&
  bindNative((koffi) => koffi.load("ntdll.dll").func("void *wine_get_version()")) !== undefined;

export interface Difference {
  /** What Windows does, by its documentation or by libuv's source. */
  readonly windows: string;
  /** What was seen under Wine 10. */
  readonly wine: string;
}

/** Where Wine answers otherwise than Windows: what touches one of these is not asserted under Wine. */
export const WINE_DIFFERS = {
  symbolicLinks: {
    windows: "made by whoever has the right, else EPERM",
    wine: "ENOENT, or a link that is followed by lstat",
  },
  firstPipeInstance: {
    windows: "a second listener on a name gets EADDRINUSE",
    wine: "is given the name as well",
  },
  terminateEnded: {
    windows: "TerminateProcess on a process that has ended fails",
    wine: "succeeds",
  },
  renameOverOpen: {
    windows: "libuv asks for POSIX semantics from 1.49 on where the file system has them",
    wine: "EPERM for as long as somebody reads the file",
  },
  directoryInUse: {
    windows: "a directory with an open file in it cannot be renamed",
    wine: "it can",
  },
  unlockFile: {
    windows:
      "UnlockFile of what is not locked says so, which codex.exe expects when it writes `installation_id`",
    wine: "says that somebody else has it locked, and codex.exe ends; the file must be there beforehand",
  },
  jobLimits: {
    windows: "QueryInformationJobObject tells the limits of the job in which a process is",
    wine: "says that there are none",
  },
  powerShell: {
    windows: "Codex runs commands with PowerShell",
    wine: "PowerShell is a stub that ends at once and prints nothing",
  },
  reservedNames: {
    windows: "CON and file:stream are no files",
    wine: "they are",
  },
  protectedProcesses: {
    windows: "pid 4 is there and may not be opened",
    wine: "nobody has that pid",
  },
  bootTime: {
    windows: "NtQuerySystemInformation tells when the system was started",
    wine: "hangs when called through koffi",
  },
} as const satisfies Record<string, Difference>;

/** For `skipIf`: whether this is Wine. Naming the difference keeps the list and the tests in step. */
export function differs(_difference: keyof typeof WINE_DIFFERS): boolean {
  return UNDER_WINE;
}
