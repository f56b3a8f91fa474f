import type { Koffi } from "./koffi.ts";

export interface JobCalls {
  /** What the job allows and does in which this process is; of several the innermost. Undefined in none. */
  limitsOfOwnJob(): number | undefined;
  /** Puts this process into a new job with these limits. False when that is refused. */
  enterNewJob(limits: number): boolean;
}

/** Whoever is in it ends when nobody has the job open any more. */
export const KILL_ON_CLOSE = 0x2000;
/** A child that is started with `CREATE_BREAKAWAY_FROM_JOB` is not in it. */
export const BREAKAWAY_OK = 0x800;
/** No child is in it, however it is started. */
export const SILENT_BREAKAWAY_OK = 0x1000;

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION of a 64-bit Windows. */
const EXTENDED_LIMITS = { class: 9, size: 144, flags: 16 };

const THIS_PROCESS = -1;

export function bindJobs(koffi: Koffi): JobCalls {
  const kernel32 = koffi.load("kernel32.dll");
  const createJob = kernel32.func("intptr_t CreateJobObjectW(void *, void *)");
  const setLimits = kernel32.func("int SetInformationJobObject(intptr_t, int, void *, uint32_t)");
  const query = kernel32.func(
    "int QueryInformationJobObject(intptr_t, int, void *, uint32_t, void *)",
  );
  const assign = kernel32.func("int AssignProcessToJobObject(intptr_t, intptr_t)");
  const closeHandle = kernel32.func("int CloseHandle(intptr_t)");

  return {
    limitsOfOwnJob() {
      const limits = Buffer.alloc(EXTENDED_LIMITS.size);
      if (query(0, EXTENDED_LIMITS.class, limits, limits.length, null) === 0) return undefined;
      return limits.readUInt32LE(EXTENDED_LIMITS.flags);
    },
    enterNewJob(flags) {
      const job = createJob(null, null);
      const limits = Buffer.alloc(EXTENDED_LIMITS.size);
      limits.writeUInt32LE(flags, EXTENDED_LIMITS.flags);
      if (
        setLimits(job, EXTENDED_LIMITS.class, limits, limits.length) !== 0 &&
        assign(job, THIS_PROCESS) !== 0
      ) {
        // Never closed by hand: that is what ends everybody in it.
        return true;
      }
      closeHandle(job);
      return false;
    },
  };
}
