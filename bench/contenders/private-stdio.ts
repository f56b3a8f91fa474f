import { spawn } from "node:child_process";
import { ended } from "../child.ts";
import type { Contender } from "./contender.ts";
import type { Client } from "./client.ts";
import type { Ground } from "../ground.ts";
import { lineClient } from "./line-client.ts";

export interface PrivateAppServer {
  readonly client: Client;
  /** Empty when it has ended. */
  pids(): number[];
  close(): Promise<void>;
}

/** An app-server for one client, as a program has it that knows of no broker. */
export async function startPrivately(ground: Ground): Promise<PrivateAppServer> {
  const child = spawn(ground.codex, ["app-server"], {
    cwd: ground.workspace,
    env: ground.env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const client = lineClient(child.stdout, child.stdin, () => child.stdin.end());
  await client.initialize();
  const pids = (): number[] => (child.exitCode === null ? [child.pid ?? 0] : []);
  return { client, pids, close: () => ended(child, () => child.stdin.end()) };
}

export const privateStdio: Contender = {
  name: "private stdio",
  shares: false,
  open(ground) {
    const started: PrivateAppServer[] = [];
    return Promise.resolve({
      async connect() {
        const one = await startPrivately(ground);
        started.push(one);
        return one.client;
      },
      processes: () => ({ brokers: [], appServers: started.flatMap((one) => one.pids()) }),
      async [Symbol.asyncDispose]() {
        await Promise.all(started.map((one) => one.close()));
      },
    });
  },
};
