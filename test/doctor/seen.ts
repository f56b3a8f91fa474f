import type {
  EpochSeen,
  GroundSeen,
  Observations,
  ServingSeen,
  SurroundingsSeen,
} from "../../src/doctor/observations.ts";
import type { Contact } from "../../src/lifecycle/evidence.ts";
import type { EpochRecord, ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import type { BrokerHello, BrokerStatus } from "../../src/wire/broker-protocol.ts";
import { servingRecord } from "../lifecycle/records.ts";

/** Observations of a machine on which all is well, and what may be otherwise. */
export const NOW = Date.parse("2030-01-02T03:05:00.000Z");

export const healthySurroundings: SurroundingsSeen = {
  sandbox: [],
  node: "20.19.0",
  platform: "linux",
  canProve: true,
  signalsThroughDescriptors: true,
  workspace: { found: true, path: "/work" },
  codexHome: { found: true, path: "/home/.codex" },
  codex: { found: true, path: "/bin/codex", version: "0.169.0", noSandbox: null },
  unwritable: undefined,
  login: { file: "there", path: "/home/.codex/auth.json", elsewhere: false },
  endpointVariable: undefined,
};

export const healthyGround: GroundSeen = {
  stateDir: { state: "chosen", path: "/state", overridden: false },
  directories: [{ path: "/state" }, { path: "/state/v2" }],
  otherFormats: [],
  place: { preferred: "/state/run", used: "/state/run" },
  sockets: [],
  links: [],
  unfinished: [],
};

export interface Change {
  readonly ground?: Partial<GroundSeen>;
  readonly surroundings?: Partial<SurroundingsSeen>;
  readonly epochs?: readonly EpochSeen[];
  /** Of a second scope. */
  readonly others?: readonly EpochSeen[];
  readonly plugin?: Observations["plugin"];
}

export function seen({ ground, surroundings, epochs, others, plugin }: Change = {}): Observations {
  return {
    now: NOW,
    ground: { ...healthyGround, ...ground },
    surroundings: { ...healthySurroundings, ...surroundings },
    scopes: [
      { key: "k", directory: "/state/v2/k", epochs: epochs ?? [] },
      ...(others === undefined ? [] : [{ key: "o", directory: "/state/v2/o", epochs: others }]),
    ],
    plugin: plugin ?? { brokers: [], records: [] },
  };
}

export function read(record: EpochRecord): Pick<EpochSeen, "reading"> {
  return { reading: { state: "read", epoch: record.epoch, record } };
}

/** A broker that serves, and answers, unless something else is said. */
export function serving(
  change: Partial<ServingSeen> = {},
  record: Partial<ServingRecord> = {},
): EpochSeen {
  const healthy = {
    broker: "alive",
    appServer: "alive",
    descendants: 0,
    contact: hello(),
  } as const;
  return { ...read(servingRecord(record)), serving: { ...healthy, ...change } };
}

export function hello(change: Partial<BrokerHello> = {}): Contact {
  const { instance, epoch, broker } = servingRecord();
  return {
    kind: "hello",
    hello: {
      protocol: 1,
      instance,
      epoch,
      state: "serving",
      proof: "",
      pid: broker.pid,
      startedAt: "2030-01-02T03:04:06.000Z",
      versions: { broker: "1.2.3", build: "b", node: "20.19.0", codex: "0.169.0" },
      appServer: { pid: 5, version: "0.169.0", lastAnswerMsAgo: 1, unansweredMs: 0 },
      ...change,
    },
  };
}

export function status(
  drain: BrokerStatus["drain"],
  change: Partial<BrokerStatus> = {},
): BrokerStatus {
  return { drain, ...change } as BrokerStatus;
}
