import { spawn } from "node:child_process";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { WebSocket } from "ws";
import { pause } from "../../src/base/deadline.ts";
import { MessageClient } from "./client.ts";
import type { Contender } from "./contender.ts";
import { ended } from "../child.ts";

const START_LIMIT_MS = 20_000;
const LARGEST_MESSAGE = 256 * 1_024 * 1_024;

let opened = 0;

/** Codex's own listener: one app-server for all, with WebSocket on a Unix socket. */
export const nativeSocket: Contender = {
  name: "native socket",
  shares: true,
  async open(ground) {
    const path = join(ground.dir, `native-${(opened += 1)}.sock`);
    const child = spawn(ground.codex, ["app-server", "--listen", `unix://${path}`], {
      cwd: ground.workspace,
      env: ground.env,
      stdio: "ignore",
    });
    const deadline = performance.now() + START_LIMIT_MS;
    for (;;) {
      try {
        (await connectTo(path)).close();
        break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await pause(2);
      }
    }
    return {
      connect: () => connectTo(path),
      processes: () => ({ brokers: [], appServers: [child.pid ?? 0] }),
      // The first signal lets turns finish.
      [Symbol.asyncDispose]: () => ended(child, () => child.kill("SIGTERM")),
    };
  },
};

async function connectTo(path: string): Promise<MessageClient> {
  // The path is a link to a socket elsewhere, whose own path may be shorter.
  const socket = new WebSocket(`ws+unix://${realpathSync(path)}:/`, {
    perMessageDeflate: false,
    maxPayload: LARGEST_MESSAGE,
  });
  const client = new MessageClient(
    (text) => socket.send(text),
    () => socket.terminate(),
  );
  socket.on("message", (data: Buffer) => client.take(data.toString("utf8")));
  socket.on("close", () => client.lost());
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return await client.initialize();
}
