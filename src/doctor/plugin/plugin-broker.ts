import type { Reach } from "../../lifecycle/contact.ts";
import type { ProcessIdentity } from "../../os/process-identity.ts";

/** A broker of the published plugin, as its own command line describes it. */
export interface PluginBroker {
  readonly identity: ProcessIdentity;
  /** The plugin's script. */
  readonly script: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly cwd: string | null;
}

/**
 * Whether a turn may run in it. `idle` is a proof: no client is connected, and either it has no
 * app-server left or the app-server itself says that none of its threads is active.
 */
export type Occupation =
  | { readonly state: "idle"; readonly why: string }
  | { readonly state: "busy"; readonly why: string }
  | { readonly state: "unknown"; readonly why: string };

export interface PluginBrokerSeen {
  readonly broker: PluginBroker;
  readonly ageMs: number;
  /** Why it is not proven to be that broker; undefined when it is. */
  readonly doubt: string | undefined;
  readonly occupation: Occupation;
  /** The plugin's own record that leads to it; null when none does, so that nobody will find it again. */
  readonly record: string | null;
  /** Whether it is of the workspace that is looked at. */
  readonly ofWorkspace: boolean;
}

/** A `broker.json` of the published plugin for the workspace. */
export interface PluginRecordSeen {
  readonly path: string;
  readonly pid: number | null;
  readonly socket: string | null;
  /** `other`: the number belongs to a process that is not that broker. */
  readonly process: "alive" | "gone" | "other";
  readonly reached: Reach | "unknown";
}

export interface PluginSeen {
  readonly brokers: readonly PluginBrokerSeen[];
  readonly records: readonly PluginRecordSeen[];
}
