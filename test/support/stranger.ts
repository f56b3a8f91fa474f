import { spawn } from "node:child_process";
import { once } from "node:events";

/** A living process that is none of the broker's business. */
export interface Stranger {
  readonly pid: number;
  alive(): boolean;
  end(): Promise<void>;
}

export async function startStranger(): Promise<Stranger> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: "ignore" });
  await once(child, "spawn");
  return {
    pid: child.pid!,
    alive: () => child.exitCode === null && child.signalCode === null,
    async end() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}
