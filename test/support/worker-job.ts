import { bindNative, type Koffi } from "../../src/os/kernel/koffi.ts";
import { BREAKAWAY_OK, KILL_ON_CLOSE } from "../../src/os/kernel/win32-job.ts";

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION and JOBOBJECT_BASIC_PROCESS_ID_LIST of a 64-bit Windows. */
const LIMITS = { class: 9, size: 144, flags: 16 };
const PID_LIST = { class: 3, inList: 4, pids: 8 };
const MOST_PIDS = 1_000;
const PID_BYTES = 8;
const THIS_PROCESS = -1;

type PidList = () => readonly number[];

let bound: PidList | null | undefined;

/**
 * On Windows: this process and all that it has started since the first call, be it detached or an
 * orphan; what is still there when it ends goes with it. Undefined elsewhere, and without koffi.
 */
export function pidsInWorkerJob(): readonly number[] | undefined {
  if (process.platform !== "win32") return undefined;
  bound ??= bindNative(enterJob) ?? null;
  return bound?.();
}

function enterJob(koffi: Koffi): PidList {
  const kernel32 = koffi.load("kernel32.dll");
  const create = kernel32.func("intptr_t CreateJobObjectW(void *, void *)");
  const set = kernel32.func("int SetInformationJobObject(intptr_t, int, void *, uint32_t)");
  const assign = kernel32.func("int AssignProcessToJobObject(intptr_t, intptr_t)");
  const query = kernel32.func(
    "int QueryInformationJobObject(intptr_t, int, void *, uint32_t, void *)",
  );
  const job = create(null, null);
  const limits = Buffer.alloc(LIMITS.size);
  limits.writeUInt32LE(KILL_ON_CLOSE | BREAKAWAY_OK, LIMITS.flags);
  if (set(job, LIMITS.class, limits, limits.length) === 0 || assign(job, THIS_PROCESS) === 0) {
    throw new Error("this process could not be put into a job");
  }
  return () => {
    const list = Buffer.alloc(PID_LIST.pids + MOST_PIDS * PID_BYTES);
    if (query(job, PID_LIST.class, list, list.length, null) === 0) {
      throw new Error("the job does not say who is in it");
    }
    return Array.from({ length: list.readUInt32LE(PID_LIST.inList) }, (_, at) =>
      Number(list.readBigUInt64LE(PID_LIST.pids + at * PID_BYTES)),
    );
  };
}
