import { BrokerError } from "../base/errors.ts";
import { isLeaving, type Observation } from "./assess.ts";
import { crashLoopIn } from "./crash-loop.ts";
import { listEpochs, readEpoch, type EndedRecord } from "./epoch-file.ts";
import { forbiddenSockets } from "./forbidden-sockets.ts";
import { replacementLoopIn } from "./replacement-loop.ts";

/** Whether the next broker replaces none: there was none, or it had ended as it should. */
export function endedInOrder(observation: Observation): boolean {
  if (observation.state === "none") return true;
  if (observation.state === "ended") return !observation.record.abnormal;
  const contact = observation.state === "serving" ? observation.contact : undefined;
  // The record is the newest, so no other broker is why it ends.
  return contact?.kind === "hello" && isLeaving(contact.hello.state);
}

/**
 * A start that failed while this call was under way is the answer to this call: fifty callers get its
 * reason, and do not all try it again one after the other.
 */
export function throwIfStartFailedMeanwhile(observation: Observation, calledAt: number): void {
  if (observation.state !== "ended") return;
  const { error, at } = observation.record;
  if (error !== null && Date.parse(at) >= calledAt) throw BrokerError.fromJSON(error);
}

/** Starting the same thing again and again helps nobody: the reasons are told instead. */
export async function throwIfCrashLoop(scopeDir: string): Promise<void> {
  const endings: EndedRecord[] = [];
  for (const epoch of listEpochs(scopeDir)) {
    const reading = readEpoch(scopeDir, epoch);
    if (reading?.state !== "read" || reading.record.state !== "ended") break;
    endings.push(reading.record);
  }
  if (crashLoopIn(endings, Date.now(), Math.random()) === undefined) return;
  // Loaded here only, because it parses TOML and few clients get here.
  const { hasOtherCause } = await import("./drift.ts");
  const ofOtherCause = new Set<EndedRecord>();
  for (const ending of endings) if (await hasOtherCause(ending)) ofOtherCause.add(ending);
  const isOfOldCause = (ending: EndedRecord): boolean => ofOtherCause.has(ending);
  const loop = crashLoopIn(endings, Date.now(), Math.random(), isOfOldCause);
  if (loop === undefined) return;
  const { count, waitMs, reasons } = loop;
  throw new BrokerError(
    "crashLoop",
    `The last ${count} brokers failed one after the other, the latest because: ${String(reasons[0])}. ` +
      `The next start is tried in ${Math.ceil(waitMs / 1000)} s.`,
    { details: { count, waitMs, reasons } },
  );
}

/** Whatever makes brokers replace each other, it must not become a storm. */
export function throwIfReplacementLoop(
  scopeDir: string,
  observation: Observation,
  onRequest: boolean,
  most: number,
): void {
  if (endedInOrder(observation)) return;
  const claims = listEpochs(scopeDir).flatMap((epoch) => {
    const reading = readEpoch(scopeDir, epoch);
    return reading?.state === "read" ? [reading.record] : [];
  });
  const loop = replacementLoopIn(claims, Date.now(), onRequest, most);
  if (loop === undefined) return;
  const { count, waitMs, reasons } = loop;
  throw new BrokerError(
    "replacementLoop",
    `The last ${count} brokers replaced each other in quick succession, the latest because ${String(reasons[0])}. ` +
      `The next one is started in ${Math.ceil(waitMs / 1000)} s at the earliest.`,
    { details: { count, waitMs, reasons } },
  );
}

/** A broker that may not listen, or to which its starter may not connect, serves nobody. */
export async function throwIfSocketsForbidden(stateDir: string): Promise<void> {
  const forbidden = await forbiddenSockets(stateDir);
  if (forbidden === undefined) return;
  const { what, directory } = forbidden;
  const outside = "Run `codex-broker ensure` outside the sandbox";
  const [denied, hint] =
    what === "listen"
      ? ["a broker to listen on", `${outside}: its broker serves this place too.`]
      : [
          "a connection to",
          `${outside}, and allow the sandbox to connect to sockets in ${directory}.`,
        ];
  throw new BrokerError(
    "sandboxDenied",
    `The system does not allow ${denied} sockets in ${directory} (EPERM), so no broker was started.`,
    { details: { directory }, hint },
  );
}
