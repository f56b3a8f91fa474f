/** What a process is to do to itself when it gets to a named step. */
export type Act =
  | { readonly kind: "kill" }
  /** Only SIGCONT wakes it up. */
  | { readonly kind: "stop" }
  /** Its event loop hangs; the other threads go on. */
  | { readonly kind: "block"; readonly ms: number }
  /** Its wall clock jumps. */
  | { readonly kind: "clock"; readonly ms: number }
  /** The disk that this directory is on becomes full. */
  | { readonly kind: "fill"; readonly directory: string };

export type Role = "broker" | "client";

/** One fault at one step of one process. The steps are what the product itself says on its trace. */
export interface FaultPlan {
  readonly role: Role;
  readonly event: string;
  /** Only where a fact of the event matches this expression: the file that is renamed, say. */
  readonly fact?: string;
  /** The how manieth time; the first one unless given. */
  readonly nth?: number;
  readonly act: Act;
}

/** Names the file of the plan. Does not count for the scope, so that all meet whether they have it or not. */
export const PLAN_VARIABLE = "BROKER_FAULT_PLAN";
/** Milliseconds by which the clock of all processes of that role is wrong from the start. */
export const CLOCK_VARIABLE: Readonly<Record<Role, string>> = {
  broker: "BROKER_FAULT_BROKER_CLOCK",
  client: "BROKER_FAULT_CLIENT_CLOCK",
};
/** A broker program with this in its environment only looks like a broker. */
export const BYSTANDER_VARIABLE = "BROKER_FAULT_BYSTANDER";

/** Where the process that the fault struck has put its pid. */
export function firedPath(plan: string): string {
  return `${plan}.fired`;
}
