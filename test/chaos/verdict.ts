import type { FaultKind, WorkKind } from "./schedule.ts";

/** A connection, or the process behind it, was taken away. */
const LOSSES = ["turnLost", "connectionLost", "connectionClosed", "appServerExited", "closed"];
/** Nothing is there to be used. Fixed paths lead nowhere until one of ours asks for a broker. */
const ABSENCES = [
  "unreachable",
  "brokerUnavailable",
  "brokerStartFailed",
  "systemLimit",
  "crashLoop",
];
const KILLED = [...LOSSES, ...ABSENCES];
/** It answers nothing, and no other app-server may write to its threads until it has been ended by proof. */
const STOPPED = [...KILLED, "requestTimedOut", "threadBusy"];

/** How work may come out that goes on while this happens, besides well. */
export const ALLOWED: Readonly<Record<FaultKind, readonly string[]>> = {
  rotation: [],
  "config edited": [],
  "codex replaced": [],
  "current removed": [],
  "socket removed": ["unreachable"],
  "record removed": ["unreachable"],
  "broker killed": KILLED,
  "broker stopped": STOPPED,
  "app-server killed": KILLED,
  "app-server stopped": STOPPED,
  "client killed": [],
  "client stopped": [],
  // A command says in an error's word that its turn was interrupted.
  "told to stop": [...KILLED, "interrupted", "turnInterrupted", "draining"],
};

/** How this kind of work ends when all goes well. */
const GOOD: Readonly<Record<WorkKind, readonly string[]>> = {
  turn: ["completed"],
  "turn on the same thread": ["completed"],
  request: ["completed"],
  interrupt: ["interrupted", "turnInterrupted", "completed"],
  approval: ["completed"],
  "departure in a turn": ["left", "completed", "turnLost", "connectionClosed", "draining"],
  command: ["completed"],
};

/** How long a fault may still be felt after it is over. */
export const AFTERMATH_MS = 20_000;

/** Work that one client was doing when its process was killed has no outcome but this. */
export const KILLED_WITH_ITS_CLIENT = "killed";

export function isGoodEnd(kind: WorkKind, outcome: string): boolean {
  return GOOD[kind].includes(outcome);
}

/** Whether the work may have come out like this, with these faults about. */
export function isAllowed(kind: WorkKind, outcome: string, about: ReadonlySet<FaultKind>): boolean {
  if (isGoodEnd(kind, outcome)) return true;
  // Only work on a thread that was there before can find it held.
  if (outcome === "threadBusy" && kind !== "turn on the same thread") return false;
  return [...about].some((fault) => ALLOWED[fault].includes(outcome));
}
