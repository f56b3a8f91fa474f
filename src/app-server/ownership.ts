import type { ProcessIdentity } from "../os/process-identity.ts";

/** The brokers that live, without the one that asks. */
export interface LivingBrokers {
  /** Brokers, their app-servers, and programs that are starting a broker. */
  readonly processes: readonly ProcessIdentity[];
  readonly instances: ReadonlySet<string>;
}

/** Tells whose the processes below an app-server are. A command can start a broker of its own there. */
export interface Ownership {
  /** The broker of this app-server; its mark is in the environment of the app-server. */
  readonly instance: string;
  readonly findLiving: () => Promise<LivingBrokers>;
}
