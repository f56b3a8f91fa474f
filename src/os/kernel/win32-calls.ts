import type { Koffi } from "./koffi.ts";

export interface Win32Calls {
  /** A HANDLE that may be asked, and terminated through if so wanted. Undefined when refused. */
  open(pid: number, toTerminate: boolean): number | undefined;
  close(handle: number): void;
  describe(handle: number): Win32Process | undefined;
  /** True when it was ended by this. */
  terminate(handle: number): boolean;
  pids(): readonly number[];
}

export interface Win32Process {
  readonly pid: number;
  /** Who started it, under the pid that it had then. */
  readonly ppid: number;
  /** 100 ns since 1601. */
  readonly startTime: string;
  readonly ended: boolean;
}

const PROCESS_TERMINATE = 0x1;
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;
const SYNCHRONIZE = 0x10_0000;
const TO_ASK = PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE;

const WAIT_OBJECT_0 = 0;
const WAIT_TIMEOUT = 258;

/** As Node's own `kill` gives it. */
const EXIT_CODE = 1;

/** PROCESS_BASIC_INFORMATION of a 64-bit Windows; Codex exists for no other. */
const BASIC_INFORMATION = { class: 0, size: 48, pid: 32, ppid: 40 };

const PID_BYTES = 4;
const FIRST_PIDS = 4_096;

export function bindWin32(koffi: Koffi): Win32Calls {
  const kernel32 = koffi.load("kernel32.dll");
  const openProcess = kernel32.func("intptr_t OpenProcess(uint32_t, int, uint32_t)");
  const closeHandle = kernel32.func("int CloseHandle(intptr_t)");
  const getTimes = kernel32.func("int GetProcessTimes(intptr_t, void *, void *, void *, void *)");
  const wait = kernel32.func("uint32_t WaitForSingleObject(intptr_t, uint32_t)");
  const terminateProcess = kernel32.func("int TerminateProcess(intptr_t, uint32_t)");
  const enumerate = kernel32.func("int K32EnumProcesses(void *, uint32_t, void *)");
  const query = koffi
    .load("ntdll.dll")
    .func("int NtQueryInformationProcess(intptr_t, int, void *, uint32_t, void *)");

  function startTimeOf(handle: number): string | undefined {
    const [created, ...others] = Array.from({ length: 4 }, () => Buffer.alloc(8));
    if (created === undefined || getTimes(handle, created, ...others) === 0) return undefined;
    return created.readBigUInt64LE().toString();
  }

  return {
    open(pid, toTerminate) {
      const access = toTerminate ? TO_ASK | PROCESS_TERMINATE : TO_ASK;
      return Number(openProcess(access, 0, pid)) || undefined;
    },
    close: (handle) => void closeHandle(handle),
    describe(handle) {
      const basic = Buffer.alloc(BASIC_INFORMATION.size);
      const failed = query(handle, BASIC_INFORMATION.class, basic, basic.length, null) !== 0;
      const startTime = startTimeOf(handle);
      const waited = wait(handle, 0);
      if (failed || startTime === undefined) return undefined;
      if (waited !== WAIT_OBJECT_0 && waited !== WAIT_TIMEOUT) return undefined;
      return {
        pid: basic.readUInt32LE(BASIC_INFORMATION.pid),
        ppid: basic.readUInt32LE(BASIC_INFORMATION.ppid),
        startTime,
        ended: waited === WAIT_OBJECT_0,
      };
    },
    terminate: (handle) => terminateProcess(handle, EXIT_CODE) !== 0,
    pids() {
      const written = Buffer.alloc(4);
      for (let count = FIRST_PIDS; ; count *= 2) {
        const buffer = Buffer.alloc(count * PID_BYTES);
        if (enumerate(buffer, buffer.length, written) === 0) return [];
        const bytes = written.readUInt32LE();
        // A full buffer may have been too small: it is told in no other way.
        if (bytes === buffer.length) continue;
        return Array.from({ length: bytes / PID_BYTES }, (_, at) =>
          buffer.readUInt32LE(at * PID_BYTES),
        );
      }
    },
  };
}
