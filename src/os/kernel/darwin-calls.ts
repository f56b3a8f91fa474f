import type { Koffi } from "./koffi.ts";

export interface DarwinCalls {
  /** What the kernel says about a process, zombies too. Undefined when nobody has that pid, or it is refused. */
  describe(pid: number): Buffer | undefined;
  pids(): readonly number[];
  /** 0 when it is not known. */
  sessionOf(pid: number): number;
  bootSession(): string | null;
  hostUuid(): string | null;
  /** Undefined on systems that are too old for it. True when it was delivered. */
  readonly signalByToken: ((token: Buffer, signal: number) => boolean) | undefined;
}

/** PROC_PIDT_BSDINFOWITHUNIQID: start time and unique id in one look. Private, and unchanged since 2013. */
const DESCRIPTION = { flavor: 18, size: 192 };
/** Without it a zombie looks like nobody. */
const ZOMBIES_TOO = 1;

const UUID_BYTES = 16;
const UUID_TEXT_BYTES = 37;
const TIMESPEC_BYTES = 16;
const PID_BYTES = 4;
/** macOS gives out no pid above 99999. */
const MOST_PIDS = 100_000;

export function bindDarwin(koffi: Koffi): DarwinCalls {
  const system = koffi.load("/usr/lib/libSystem.B.dylib");
  const pidInfo = system.func("int proc_pidinfo(int, int, uint64_t, void *, int)");
  const listAllPids = system.func("int proc_listallpids(void *, int)");
  const getsid = system.func("int getsid(int)");
  const sysctl = system.func("int sysctlbyname(const char *, void *, void *, void *, size_t)");
  const getHostUuid = system.func("int gethostuuid(void *, void *)");

  return {
    describe(pid) {
      const buffer = Buffer.alloc(DESCRIPTION.size);
      const size = pidInfo(pid, DESCRIPTION.flavor, ZOMBIES_TOO, buffer, buffer.length);
      return size === buffer.length ? buffer : undefined;
    },
    pids() {
      const buffer = Buffer.alloc(MOST_PIDS * PID_BYTES);
      const count = Math.max(0, Number(listAllPids(buffer, buffer.length)));
      return Array.from({ length: count }, (_, at) => buffer.readInt32LE(at * PID_BYTES));
    },
    sessionOf: (pid) => Math.max(0, Number(getsid(pid))),
    bootSession() {
      const text = Buffer.alloc(UUID_TEXT_BYTES);
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(text.length));
      if (sysctl("kern.bootsessionuuid", text, size, null, 0) !== 0) return null;
      return text.toString("latin1", 0, text.indexOf(0));
    },
    hostUuid() {
      const uuid = Buffer.alloc(UUID_BYTES);
      return getHostUuid(uuid, Buffer.alloc(TIMESPEC_BYTES)) === 0 ? uuid.toString("hex") : null;
    },
    signalByToken: bindSignal(system),
  };
}

function bindSignal(system: ReturnType<Koffi["load"]>): DarwinCalls["signalByToken"] {
  try {
    const signal = system.func("int proc_signal_with_audittoken(void *, int)");
    return (token, number) => signal(token, number) === 0;
  } catch {
    return undefined;
  }
}
