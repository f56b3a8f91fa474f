import type { BrokerErrorJson } from "../base/errors.ts";
import type { Contact } from "../lifecycle/evidence.ts";
import type { Reach } from "../lifecycle/contact.ts";
import type { EpochReading } from "../lifecycle/epoch-file.ts";
import type { Forgotten } from "../lifecycle/sign-of-life.ts";
import type { Liveness } from "../os/process-identity.ts";
import type { BrokerStatus } from "../wire/broker-protocol.ts";
import type { PluginSeen } from "./plugin/plugin-broker.ts";

/** Everything that the findings are drawn from, seen at one time. */
export interface Observations {
  readonly now: number;
  readonly ground: GroundSeen;
  readonly scopes: readonly ScopeSeen[];
  readonly surroundings: SurroundingsSeen;
  readonly plugin: PluginSeen;
}

/** Where brokers meet: the state directory and the sockets. */
export interface GroundSeen {
  readonly stateDir: StateDirSeen;
  /** Those of ours that are there. */
  readonly directories: readonly DirectorySeen[];
  /** Directories beside ours that another format of the files has. */
  readonly otherFormats: readonly string[];
  readonly place: PlaceSeen | undefined;
  readonly sockets: readonly SocketSeen[];
  readonly links: readonly LinkSeen[];
  readonly unfinished: readonly UnfinishedSeen[];
}

export type StateDirSeen =
  | { readonly state: "chosen"; readonly path: string; readonly overridden: boolean }
  | { readonly state: "refused"; readonly error: BrokerErrorJson };

export interface DirectorySeen {
  readonly path: string;
  /** Why it must not be trusted, with the mode where nothing but that is wrong. */
  readonly danger?: { readonly why: string; readonly mode?: number };
  /** Why it cannot be used. */
  readonly unusable?: string;
}

/** In which directory a socket finds a short enough name. */
export interface PlaceSeen {
  readonly preferred: string;
  readonly used: string | undefined;
}

/** A socket of a scope of this state directory that no record leads to. */
export interface SocketSeen {
  readonly path: string;
  readonly ageMs: number;
  /** No process listens, no record leads there, and by its name none ever will. */
  readonly unused: boolean;
}

/** A fixed path that no living broker keeps. */
export interface LinkSeen {
  readonly path: string;
  readonly target: string;
  readonly dangling: boolean;
}

export interface UnfinishedSeen {
  readonly path: string;
  readonly ageMs: number;
}

export interface ScopeSeen {
  readonly key: string;
  readonly directory: string;
  /** The newest first. */
  readonly epochs: readonly EpochSeen[];
}

export interface EpochSeen {
  readonly reading: EpochReading;
  /** Of a claim: whether whoever made it still runs. */
  readonly claimant?: Liveness;
  /** Of a claim: no broker can come of it any more. */
  readonly claimantOfAnotherBoot?: boolean;
  /** Of an obituary: what may have made the broker fail is another one by now. */
  readonly hasOtherCause?: boolean;
  /** Of a broker that has taken the epoch and written no obituary. */
  readonly serving?: ServingSeen;
}

export interface ServingSeen {
  readonly broker: Liveness;
  /** Null when it had none yet. */
  readonly appServer: Liveness | null;
  /** Of a broker that cannot be verified from here: it has given no sign of life for a day. */
  readonly forgotten?: Forgotten;
  /** Of a living app-server. */
  readonly descendants: number;
  /** What its endpoint said; absent where the broker is proven gone and nobody was asked. */
  readonly contact?: Contact;
  /** What the broker says of itself; absent where it was not said in time. */
  readonly status?: BrokerStatus;
  /** What Codex says of the login; absent where it was not asked. */
  readonly account?: AccountSeen;
}

export interface AccountSeen {
  readonly loggedIn: boolean;
  readonly needed: boolean;
}

export type Resolved<T> =
  | ({ readonly found: true } & T)
  | { readonly found: false; readonly error: BrokerErrorJson };

/** What stands around the brokers. */
export interface SurroundingsSeen {
  /** Names of variables that a sandbox of Codex sets. */
  readonly sandbox: readonly string[];
  readonly node: string;
  readonly platform: NodeJS.Platform;
  /** Whether this system tells one process from the next of its number. */
  readonly canProve: boolean;
  readonly signalsThroughDescriptors: boolean;
  readonly workspace: Resolved<{ readonly path: string }>;
  readonly codexHome: Resolved<{ readonly path: string }>;
  readonly codex: Resolved<{
    readonly path: string;
    readonly version: string | null;
    /** Why Codex cannot set up its own sandbox here, in its words; null where it can, or does not say. */
    readonly noSandbox: string | null;
  }>;
  /** The first thing in CODEX_HOME to which Codex writes and this user may not. */
  readonly unwritable: UnwritableSeen | undefined;
  readonly login: LoginSeen;
  readonly endpointVariable: EndpointVariableSeen | undefined;
}

/** What this user may not write to. */
export interface UnwritableSeen {
  readonly path: string;
  readonly errno: string;
  /** Of the path, in words; null where the system has no such owners. */
  readonly owner: string | null;
  /** Whether it belongs to this user. */
  readonly own: boolean;
}

export interface LoginSeen {
  /** Of `auth.json`. What stands in it is not looked at. */
  readonly file: "there" | "absent" | "unreadable";
  readonly path: string;
  /** A key in the environment, a provider of one's own or the system's keyring may do without the file. */
  readonly elsewhere: boolean;
}

/** CODEX_COMPANION_APP_SERVER_ENDPOINT: where the published plugin's scripts are sent. */
export interface EndpointVariableSeen {
  readonly path: string;
  readonly reached: Reach;
}
