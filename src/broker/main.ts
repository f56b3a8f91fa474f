import { closeSync, readFile, writeSync } from "node:fs";
import { promisify } from "node:util";
import { asBrokerError, BrokerError } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { epochPath, forgetScope } from "../lifecycle/epoch-file.ts";
import {
  CLAIM_LIMIT_MS,
  REPORT_DESCRIPTOR,
  type StartOrder,
  type StartReport,
} from "../lifecycle/start-protocol.ts";
import { fileOperationsSettle } from "../os/file-lane.ts";
import { enterOwnJob } from "../os/own-job.ts";
import { Broker } from "./broker.ts";
import { ageOutScopes } from "./scope-ageing.ts";
import { startHeartbeat } from "./heartbeat.ts";
import { startLog } from "./log.ts";

const STDIN = 0;
/** The first clients come first. */
const AGE_OUT_AFTER_MS = 60_000;
const LAST_OPERATIONS_MS = 500;

/** The daemon: reads its order, takes its epoch, reports, and lives until its broker has ended. */
async function main(): Promise<void> {
  const order = await readOrder();
  const broker = new Broker(order, enterOwnJob());
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => void broker.end({ reason: `received ${signal}`, force: true }));
  }
  // Its starter's terminal may close; that is no reason to end.
  process.on("SIGHUP", () => {});
  process.on("uncaughtException", (thrown) => dieOf(broker, thrown));
  try {
    const record = await broker.listen();
    report({ state: "serving", endpoint: record.endpoint });
  } catch (thrown) {
    report({ state: "failed", error: asBrokerError(thrown, "brokerStartFailed").toJSON() });
    process.exitCode = 1;
    return;
  }
  startLog({ pid: process.pid, epoch: order.claim.epoch });
  trace("info", "broker.listening", { epoch: order.claim.epoch, workspace: order.scope.workspace });
  setTimeout(() => {
    ageOutScopes(order.scope).catch((error: unknown) =>
      trace("info", "scope.notAged", { error: String(error) }),
    );
  }, AGE_OUT_AFTER_MS).unref();
  const stopHeartbeat = startHeartbeat(epochPath(order.scope.directory, order.claim.epoch));
  await broker.ended;
  stopHeartbeat();
  if (order.scope.private) forgetScope(order.scope.directory);
  await leave(0);
}

/**
 * Nobody waits any more for a broker whose starter has not said in time what it is to do. Not through
 * `process.stdin`: that asks what kind of a pipe it is, which sandboxes forbid.
 */
async function readOrder(): Promise<StartOrder> {
  // A read from a pipe cannot be given up, and would hold up an exit.
  const tooLate = setTimeout(() => process.kill(process.pid, "SIGKILL"), CLAIM_LIMIT_MS);
  const order = await promisify(readFile)(STDIN, "utf8");
  clearTimeout(tooLate);
  return JSON.parse(order) as StartOrder;
}

/** A file operation that hangs would keep `process.exit` from ending the process. */
async function leave(code: number): Promise<void> {
  if (await fileOperationsSettle(LAST_OPERATIONS_MS)) process.exit(code);
  process.kill(process.pid, "SIGKILL");
}

/** A defect of ours: everyone is told, and the successor starts afresh. */
function dieOf(broker: Broker, thrown: unknown): void {
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  trace("error", "broker.defect", { stack });
  process.stderr.write(`${stack}\n`);
  const error = new BrokerError(
    "brokerStartFailed",
    "The broker has hit a defect of its own and ends.",
    {
      cause: thrown,
      details: { stack },
    },
  );
  void broker.end({ reason: error.message, error, force: true }).then(() => leave(1));
}

/** Nobody may be there any more to read it. */
function report(message: StartReport): void {
  try {
    writeSync(REPORT_DESCRIPTOR, `${JSON.stringify(message)}\n`);
    closeSync(REPORT_DESCRIPTOR);
  } catch {
    process.stderr.write(`the starter has gone: ${JSON.stringify(message)}\n`);
  }
}

void main();
