import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, statSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Listener } from "../../src/broker/listener.ts";
import { onTrace, type TraceEvent } from "../../src/base/trace.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

const NOBODY = 65_534;
const CONNECT = `
  process.setuid(Number(process.argv[2]));
  const socket = require("node:net").connect({ path: process.argv[1] });
  socket.on("error", (error) => console.log(error.code));
  socket.on("connect", () => console.log("connected"));
  socket.on("data", (data) => { console.log(String(data)); socket.destroy(); });
  socket.on("close", () => console.log("closed"));
`;

/** What a process of that user gets to hear from the socket. It becomes his only when it runs: Node may lie where he cannot read. */
async function connectAs(uid: number, address: string): Promise<string[]> {
  const child = spawn(process.execPath, ["-e", CONNECT, address, String(uid)], {
    cwd: "/",
    env: {},
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  await once(child, "close");
  return said.trim().split("\n");
}

describe("the socket", () => {
  // Only root can be somebody else.
  const canBeAnother = process.platform === "linux" && process.getuid?.() === 0;

  test.skipIf(!canBeAnother)(
    "F91: is closed to other users by its directory, and by the kernel's word should that be opened",
    async () => {
      await using dir = await makeTempDir();
      const address = join(dir.path, "s");
      const events: TraceEvent[] = [];
      const stop = onTrace((event) => events.push(event));
      const greet = (socket: Socket): void => void socket.end("hello");
      const listener = await Listener.open({ address, current: null }, greet);
      expect(statSync(address).mode & 0o777).toBe(0o600);
      expect(await connectAs(NOBODY, address)).toEqual(["EACCES", "closed"]);
      chmodSync(dir.path, 0o755);
      chmodSync(address, 0o666);
      expect(await connectAs(NOBODY, address)).toEqual(["connected", "closed"]);
      expect(events).toContainEqual(
        expect.objectContaining({ event: "listener.stranger", uid: NOBODY }),
      );
      expect(await connectAs(process.getuid?.() ?? 0, address)).toContain("hello");
      listener.close();
      stop();
    },
  );
});
