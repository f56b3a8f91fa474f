import type { AppServerExit } from "../app-server/child.ts";
import { Deadline } from "../base/deadline.ts";
import { BrokerError } from "../base/errors.ts";
import type { Changes } from "../base/changes.ts";
import type { StateMachine } from "../base/state-machine.ts";
import { trace } from "../base/trace.ts";
import type { BrokerState } from "../wire/broker-protocol.ts";
import type { DescendantWatch } from "./descendant-watch.ts";
import type { DrainLimit } from "./drain-limit.ts";
import type { Ending } from "./ending.ts";
import type { Jobs } from "./jobs.ts";
import type { Listener } from "./listener.ts";
import type { OwnAppServer } from "./own-app-server.ts";
import type { Reception } from "./reception.ts";
import type { Router } from "./router.ts";
import type { Watchdog } from "./watchdog.ts";

/** An interrupted turn ends within milliseconds; one that does not is cut off with the app-server. */
const INTERRUPT_GRACE_MS = 5_000;
/** For answers on their way, which may be slow: the app-server drops them when its stdin ends. */
const OUTSTANDING_GRACE_MS = 10_000;
/** Where nobody is asked to be patient. */
const FORCED_GRACE_MS = 1_000;
/** For what is queued to clients. One that does not read loses it. */
const FLUSH_GRACE_MS = 250;
/** For the ends of jobs to be written, on a disk that is slow. */
const JOURNAL_GRACE_MS = 5_000;
/** For clients to find the successor, resume their idle threads there and leave. */
const MOVE_GRACE_MS = 5_000;
/** For what was sent to cross what was told, on a busy machine. */
const HEARD_GRACE_MS = 1_000;
/** For clients of ours to read that it has ended, so that it receives all that they sent before. */
const LEAVE_GRACE_MS = 3_000;
/** The sum of all bounds of the steps of a shutdown, and some. */
const SHUTDOWN_LIMIT_MS = 30_000;

/** What is run down. Each part is asked for when its turn has come: some are there only by then. */
export interface RunDown {
  readonly state: StateMachine<BrokerState>;
  readonly router: Router;
  readonly reception: Reception;
  /** Told of every turn that ends, session that leaves and answer that comes. */
  readonly changes: Changes;
  readonly descendants: DescendantWatch;
  readonly jobs: Pick<Jobs, "open">;
  readonly drainLimit: DrainLimit;
  listener(): Listener | undefined;
  watchdog(): Watchdog | undefined;
  readonly appServer: Pick<OwnAppServer, "stop">;
  writeObituary(exit: AppServerExit | undefined): void;
}

/** The way out of every broker that has begun to drain, whatever its reason. Bounded at every step. */
export async function runDown(broker: RunDown, ending: Ending): Promise<void> {
  const { state, router, reception, changes } = broker;
  const { reason, error } = ending;
  broker.listener()?.leaveCurrent();
  router.drain({
    reason,
    reconnect: ending.reconnect === true,
    abnormal: error !== undefined,
  });
  const crossing = Deadline.after(HEARD_GRACE_MS);
  await settleTurns(broker, ending);
  if (ending.reconnect === true) await letClientsMove(broker);
  else if (ending.force !== true) {
    await changes.until(() => !reception.someStay, crossing.remainingMs);
  }
  state.to("stopping");
  trace("debug", "broker.stopping", { reason });
  broker.watchdog()?.boundShutdown(SHUTDOWN_LIMIT_MS);
  broker.listener()?.close();
  broker.descendants.stop();
  const graceMs = ending.force === true ? FORCED_GRACE_MS : OUTSTANDING_GRACE_MS;
  await changes.until(() => router.upstream.outstanding === 0, graceMs);
  router.lose(error ?? new BrokerError("connectionLost", `The broker has ended: ${reason}.`));
  await changes.until(() => broker.jobs.open === 0, JOURNAL_GRACE_MS);
  reception.finish(new BrokerError("draining", `This broker has ended: ${reason}.`));
  const leaveMs = ending.force === true ? FORCED_GRACE_MS : LEAVE_GRACE_MS;
  await changes.until(() => reception.connections === 0, FLUSH_GRACE_MS);
  await changes.until(() => !reception.someMoveByThemselves, leaveMs);
  reception.destroy();
  broker.writeObituary(await broker.appServer.stop());
  broker.watchdog()?.close();
  state.to("ended");
  trace("info", "broker.ended", { reason });
}

/**
 * Waits for the turns that somebody waits for. What is left then is interrupted: turns without a
 * subscriber, and all turns when the limit has passed.
 */
async function settleTurns(
  { router, changes, drainLimit }: RunDown,
  ending: Ending,
): Promise<void> {
  if (ending.force === true) drainLimit.set(0);
  await changes.until(() => router.awaitedTurnCount === 0 || drainLimit.expired, Infinity);
  drainLimit.close();
  if (router.endableTurnCount === 0) return;
  router.interruptAll();
  await changes.until(() => router.endableTurnCount === 0, INTERRUPT_GRACE_MS);
}

/**
 * Clients of ours go to the successor by themselves; until they have, their requests are answered. Of
 * others nobody knows; but what they had sent before they could hear that this broker drains is
 * answered too.
 */
async function letClientsMove({ reception, changes }: RunDown): Promise<void> {
  await changes.until(() => reception.connections === 0, HEARD_GRACE_MS);
  await changes.until(() => !reception.someMoveByThemselves, MOVE_GRACE_MS);
}
