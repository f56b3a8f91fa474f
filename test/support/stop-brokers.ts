import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { listEpochs, readEpoch, type ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { formatDirectory } from "../../src/lifecycle/state-directory.ts";
import { livenessOf } from "../../src/os/process-identity.ts";

/** Longer than a broker's own bounds for an end by force. */
const END_WITHIN_MS = 15_000;

/** The brokers of a state directory that have taken an epoch and are not proven to have ended. */
export function livingBrokers(stateDir: string): ServingRecord[] {
  const format = formatDirectory(stateDir);
  if (!existsSync(format)) return [];
  return readdirSync(format).flatMap((key) => {
    const scopeDir = join(format, key);
    return listEpochs(scopeDir).flatMap((epoch) => {
      const reading = readEpoch(scopeDir, epoch);
      if (reading?.state !== "read" || reading.record.state !== "serving") return [];
      return livenessOf(reading.record.broker) === "gone" ? [] : [reading.record];
    });
  });
}

/** Asks every broker of the state directory to end at once, and waits until all are gone. */
export async function stopBrokers(stateDir: string): Promise<void> {
  for (const record of livingBrokers(stateDir)) {
    // A test may have stopped it, and then it hears nothing.
    const isOurs = livenessOf(record.broker) === "alive";
    if (isOurs && process.platform !== "win32") process.kill(record.broker.pid, "SIGCONT");
    askToStop(record.endpoint);
  }
  const deadline = Deadline.after(END_WITHIN_MS);
  while (livingBrokers(stateDir).length > 0) {
    if (deadline.expired) throw new Error(`brokers in ${stateDir} do not end`);
    await pause(10);
  }
}

function askToStop(endpoint: string): void {
  const socket = connect(endpoint);
  socket.on("error", () => {});
  const send = (message: object): void => void socket.write(`${JSON.stringify(message)}\n`);
  send({
    id: 1,
    method: "initialize",
    params: { clientInfo: { name: "stop", version: "0" }, broker: { protocol: 1, nonce: "n" } },
  });
  send({ id: 2, method: "broker/stop", params: { force: true } });
  socket.resume();
}
