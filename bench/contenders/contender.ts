import type { Ground } from "../ground.ts";
import type { Client } from "./client.ts";

/** One of the ways to an app-server that are compared. */
export interface Contender {
  readonly name: string;
  /** Whether several clients can have turns at the same time, through one app-server. */
  readonly shares: boolean;
  /** Starts what its clients connect to. */
  open(ground: Ground): Promise<Opened>;
}

export interface Opened extends AsyncDisposable {
  /** A client that has shaken hands. */
  connect(): Promise<Client>;
  /** A client for whom the shared one is too busy. */
  connectElsewhere?(): Promise<Client>;
  /** The processes that it takes, clients aside. */
  processes(): Processes;
}

export interface Processes {
  readonly brokers: readonly number[];
  readonly appServers: readonly number[];
}
