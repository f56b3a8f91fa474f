import { once } from "node:events";
import type { Socket } from "node:net";
import { figure, type Benchmark } from "../benchmark.ts";
import { openFloor } from "../contenders/floor.ts";
import { openSocket } from "../contenders/line-client.ts";
import { openBroker } from "../contenders/this-broker.ts";
import { runTurn, startThread } from "../workloads/turn.ts";
import type { Ground } from "../ground.ts";
import { inTurn } from "../measure/in-turn.ts";
import { cpuMs } from "../measure/processes.ts";
import { pairwise, ratio, spreadOf } from "../measure/statistics.ts";

const PER_SECOND = 100;
const DELTA_BYTES = 24;

/** The broker against a program that does nothing but to write the same bytes to as many sockets. */
export const watched: Benchmark = {
  name: "watched",
  async run({ ground, quick, times }) {
    const sessions = quick ? 5 : 100;
    const deltas = quick ? 20 : 400;
    let lines: readonly string[] = [];
    const results = await inTurn(
      times(5),
      {
        async ours() {
          const taken = await throughBroker(ground, sessions, deltas);
          lines = taken.lines;
          return taken.microseconds;
        },
        floor: () => throughFloor(ground, sessions, lines),
      },
      // What is written to the floor is what the broker has sent before.
      0,
    );
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

async function throughBroker(
  ground: Ground,
  sessions: number,
  deltas: number,
): Promise<{ microseconds: number; lines: readonly string[] }> {
  await using broker = await openBroker(ground);
  const owner = await broker.connect();
  const threadId = await startThread(owner);
  // Only what has had a turn can be resumed.
  await runTurn(owner, threadId, "say: ready");
  const watchers = [];
  while (watchers.length < sessions - 1) {
    const watcher = await broker.connect();
    await watcher.request("thread/resume", { threadId, excludeTurns: true });
    watchers.push(watcher);
  }
  const lines: string[] = [];
  const before = cpuMs(broker.pid);
  await runTurn(
    owner,
    threadId,
    `stream: ${deltas} deltas at ${PER_SECOND}/s of ${DELTA_BYTES} bytes`,
    (message) => lines.push(`${JSON.stringify(message)}\n`),
  );
  const took = cpuMs(broker.pid) - before;
  for (const client of [owner, ...watchers]) client.close();
  return { microseconds: (took * 1_000) / (lines.length * sessions), lines };
}

async function throughFloor(
  ground: Ground,
  sessions: number,
  lines: readonly string[],
): Promise<number> {
  await using floor = await openFloor(ground, "fan-out");
  const sockets: Socket[] = [];
  while (sockets.length < sessions) {
    const socket = await openSocket(floor.path);
    await once(socket, "data");
    sockets.push(socket);
  }
  const wanted = lines.reduce((sum, line) => sum + line.length, 0) * sessions;
  let received = 0;
  const all = new Promise<void>((resolve) => {
    for (const socket of sockets) {
      socket.on("data", ({ length }: Buffer) => {
        received += length;
        if (received === wanted) resolve();
      });
    }
  });
  const before = cpuMs(floor.pid);
  const startedAt = performance.now();
  for (const [index, line] of lines.entries()) {
    const aheadMs = (index / PER_SECOND) * 1_000 - (performance.now() - startedAt);
    if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    floor.stdin.write(line);
  }
  await all;
  const took = cpuMs(floor.pid) - before;
  for (const socket of sockets) socket.destroy();
  return (took * 1_000) / (lines.length * sessions);
}
