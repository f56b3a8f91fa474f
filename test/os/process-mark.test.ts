import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { INSTANCE_VARIABLE, marksOfProcesses } from "../../src/os/process-mark.ts";
import { readProcess } from "../../src/os/process-tree.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { CAN_SEE_PROCESSES } from "../support/marked-processes.ts";

guardAgainstLeaks();

test.skipIf(!CAN_SEE_PROCESSES)(
  "F188: a process is known by its mark, and one that has only its pid is not",
  async () => {
    const marked = spawn("sleep", ["60"], {
      env: { ...process.env, [INSTANCE_VARIABLE]: "one" },
      stdio: "ignore",
    });
    // The name of another variable that ends alike, and the mark as an argument.
    const other = spawn("sleep", ["60"], {
      env: { ...process.env, [`X${INSTANCE_VARIABLE}`]: "one" },
      argv0: `${INSTANCE_VARIABLE}=one`,
      stdio: "ignore",
    });
    try {
      await Promise.all([once(marked, "spawn"), once(other, "spawn")]);
      const entry = readProcess(marked.pid!)!;
      const earlier = { ...entry, startTime: "1" };
      const marks = await marksOfProcesses([entry, earlier, readProcess(other.pid!)!]);
      expect(marks).toEqual(new Map([[entry, "one"]]));
    } finally {
      marked.kill("SIGKILL");
      other.kill("SIGKILL");
    }
  },
);
