import { connect, type Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { LineSplitter } from "../../src/wire/line-splitter.ts";
import { MessageClient } from "./client.ts";

const LONGEST_LINE = 256 * 1_024 * 1_024;

/** A client that writes and reads one message a line. */
export function lineClient(
  readable: Readable,
  writable: Writable,
  close: () => void,
): MessageClient {
  const client = new MessageClient((text) => void writable.write(`${text}\n`), close);
  const splitter = new LineSplitter(
    { onLine: (line) => client.take(line.toString("utf8")), onOversizedLine: () => client.lost() },
    LONGEST_LINE,
  );
  readable.on("data", (chunk: Buffer) => splitter.push(chunk));
  readable.on("close", () => client.lost());
  readable.on("error", () => {});
  writable.on("error", () => {});
  return client;
}

export async function openSocket(path: string): Promise<Socket> {
  const socket = connect({ path });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

export async function socketClient(path: string): Promise<MessageClient> {
  const socket = await openSocket(path);
  return await lineClient(socket, socket, () => socket.destroy()).initialize();
}
