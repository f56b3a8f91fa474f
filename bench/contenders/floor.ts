import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Duplex, Readable, Writable } from "node:stream";
import { join } from "node:path";
import { program, type Ground } from "../ground.ts";
import { ended, firstLine } from "../child.ts";

/** About as long as a cheap request and its answer. */
export const SHORT_LINE = `${"x".repeat(120)}\n`;

export interface FloorProgram extends AsyncDisposable {
  readonly path: string;
  readonly pid: number;
  readonly stdin: Writable;
}

let opened = 0;

/** A bare Node program that listens on a Unix socket. */
export async function openFloor(ground: Ground, name: "echo" | "fan-out"): Promise<FloorProgram> {
  const path = join(ground.dir, `${name}-${(opened += 1)}.sock`);
  const child = spawn(process.execPath, [program(name), path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await firstLine(child.stdout);
  return {
    path,
    pid: child.pid ?? 0,
    stdin: child.stdin,
    [Symbol.asyncDispose]: () => ended(child, () => child.stdin.end()),
  };
}

export interface PipeEcho extends AsyncDisposable {
  roundTrip(): Promise<void>;
}

/** A bare Node program that echoes on its pipes. */
export function openPipeEcho(): PipeEcho {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    process.execPath,
    [program("echo")],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  return {
    roundTrip: () => roundTrip(child.stdin, child.stdout),
    [Symbol.asyncDispose]: () => ended(child, () => child.stdin.end()),
  };
}

export function socketRoundTrip(socket: Duplex): Promise<void> {
  return roundTrip(socket, socket);
}

function roundTrip(writable: Writable, readable: Readable): Promise<void> {
  return new Promise((resolve) => {
    readable.once("data", () => resolve());
    writable.write(SHORT_LINE);
  });
}
