import { spawn } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { pause } from "../../src/base/deadline.ts";
import { withDescendants } from "../measure/processes.ts";
import type { Contender } from "./contender.ts";
import { socketClient } from "./line-client.ts";
import { ended } from "../child.ts";
import { startPrivately, type PrivateAppServer } from "./private-stdio.ts";

const START_LIMIT_MS = 20_000;

let opened = 0;

/**
 * The broker of the published Codex plugin. It serves one client at a time and refuses the others,
 * who then start an app-server of their own, as the plugin's scripts do.
 *
 * @param program its `app-server-broker.mjs`.
 */
export function pluginBroker(program: string): Contender {
  return {
    name: "the plugin's broker",
    shares: false,
    async open(ground) {
      const folder = join(ground.dir, `plugin-${(opened += 1)}`);
      await mkdir(folder);
      const codex = join(folder, "codex");
      await symlink(ground.codex, codex);
      const path = join(folder, "broker.sock");
      const env = {
        ...ground.env,
        PATH: [dirname(codex), ground.env["PATH"] ?? ""].join(delimiter),
      };
      const args = [program, "serve", "--endpoint", `unix:${path}`, "--cwd", ground.workspace];
      const child = spawn(process.execPath, args, { cwd: ground.workspace, env, stdio: "ignore" });
      const pid = child.pid ?? 0;
      const elsewhere: PrivateAppServer[] = [];
      const deadline = performance.now() + START_LIMIT_MS;
      for (;;) {
        try {
          (await socketClient(path)).close();
          break;
        } catch (error) {
          if (performance.now() > deadline || child.exitCode !== null) throw error;
          await pause(2);
        }
      }
      return {
        connect: () => socketClient(path),
        async connectElsewhere() {
          const one = await startPrivately(ground);
          elsewhere.push(one);
          return one.client;
        },
        processes: () => ({
          brokers: [pid],
          appServers: [
            ...withDescendants([pid]).filter((each) => each !== pid),
            ...elsewhere.flatMap((one) => one.pids()),
          ],
        }),
        async [Symbol.asyncDispose]() {
          await Promise.all(elsewhere.map((one) => one.close()));
          await ended(child, () => child.kill("SIGTERM"));
        },
      };
    },
  };
}
