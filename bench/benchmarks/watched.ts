import { once } from "node:events";
import type { Socket } from "node:net";
import { deferred } from "../../src/base/deferred.ts";
import { figure, type Benchmark } from "../benchmark.ts";
import { openFloor, type FloorProgram } from "../contenders/floor.ts";
import { openSocket } from "../contenders/line-client.ts";
import { openBroker, type OpenedBroker } from "../contenders/this-broker.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import { OpenThings } from "../open-things.ts";
import { inTurn } from "../measure/in-turn.ts";
import { cpuMs } from "../measure/processes.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

const PER_SECOND = 100;
const DELTA_BYTES = 24;

/**
 * The broker against a program that does nothing but to write the same bytes to as many sockets. Both
 * have run for a while: what V8 compiles and clears up after a start is no part of a delta.
 */
export const watched: Benchmark = {
  name: "watched",
  async run({ ground, quick, times }) {
    const sessions = quick ? 5 : 100;
    const deltas = quick ? 20 : 400;
    await using things = new OpenThings();
    const broker = things.use(await openBroker(ground));
    const floor = things.use(await openFloor(ground, "fan-out"));
    const stream = await watchedThread(broker, sessions);
    const sockets = await openSockets(floor, sessions);
    let lines = await stream(deltas);
    const perDeltaAndSession = async (
      pid: number,
      work: () => Promise<unknown>,
    ): Promise<number> => {
      const before = cpuMs(pid);
      await work();
      return ((cpuMs(pid) - before) * 1_000) / (lines.length * sessions);
    };
    const results = await inTurn(times(5), {
      ours: () => perDeltaAndSession(broker.pid, async () => (lines = await stream(deltas))),
      floor: () => perDeltaAndSession(floor.pid, () => fanOut(floor, sockets, lines)),
    });
    for (const socket of sockets) socket.destroy();
    return [
      {
        what: `one thread watched by ${sessions} sessions: processor time for a delta and a session`,
        figure: figure(
          "of a bare `socket.write`",
          "×",
          spreadOf(pairwise(results.ours, results.floor, ratio)),
        ),
        limit: 1.3,
        measured: [
          figure("this broker", "µs", spreadOf(results.ours)),
          figure("floor: socket.write", "µs", spreadOf(results.floor)),
        ],
      },
    ];
  },
};

/** @returns what runs a turn on a thread that so many sessions hear, and gives its deltas as they came. */
async function watchedThread(
  broker: OpenedBroker,
  sessions: number,
): Promise<(deltas: number) => Promise<readonly string[]>> {
  const owner = await broker.connect();
  const threadId = await startThread(owner);
  // Only what has had a turn can be resumed.
  await runTurn(owner, threadId, "say: ready");
  for (let count = 1; count < sessions; count += 1) {
    const watcher = await broker.connect();
    await watcher.request("thread/resume", { threadId, excludeTurns: true });
  }
  return async (deltas) => {
    const lines: string[] = [];
    await runTurn(
      owner,
      threadId,
      `stream: ${deltas} deltas at ${PER_SECOND}/s of ${DELTA_BYTES} bytes`,
      (message) => lines.push(`${JSON.stringify(message)}\n`),
    );
    return lines;
  };
}

async function openSockets(floor: FloorProgram, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const socket = await openSocket(floor.path);
    await once(socket, "data");
    sockets.push(socket);
  }
  return sockets;
}

/** Resolves when every socket has got every line. */
async function fanOut(
  floor: FloorProgram,
  sockets: readonly Socket[],
  lines: readonly string[],
): Promise<void> {
  let left = lines.reduce((sum, line) => sum + line.length, 0) * sockets.length;
  const all = deferred<void>();
  const count = ({ length }: Buffer): void => {
    left -= length;
    if (left === 0) all.resolve();
  };
  for (const socket of sockets) socket.on("data", count);
  const startedAt = performance.now();
  for (const [index, line] of lines.entries()) {
    const aheadMs = (index / PER_SECOND) * 1_000 - (performance.now() - startedAt);
    if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    floor.stdin.write(line);
  }
  await all.promise;
  for (const socket of sockets) socket.off("data", count);
}
