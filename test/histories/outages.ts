import { livenessOf } from "../../src/os/process-identity.ts";
import { runNode } from "../support/node-process.ts";
import { livingBrokers } from "../support/stop-brokers.ts";
import type { Outage } from "./history.ts";
import type { Place } from "./participant.ts";

/** Ends the newest broker, or its app-server, in this way. */
export async function endBroker(outage: Outage, { world, program }: Place): Promise<void> {
  if (outage === "stop") {
    await runNode([program, "stop"], world.env, world.workspace);
    return;
  }
  const [newest] = livingBrokers(world.stateDir).toSorted((a, b) => b.epoch - a.epoch);
  const victim = outage === "broker killed" ? newest?.broker : newest?.appServer;
  if (victim === undefined || victim === null || livenessOf(victim) !== "alive") return;
  process.kill(victim.pid, "SIGKILL");
}
