import type { ClaimedRecord, EndedRecord, ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";

/** Records as a broker of this very process would write them. */
export function claimedRecord(change: Partial<ClaimedRecord> = {}): ClaimedRecord {
  return {
    state: "claimed",
    epoch: 7,
    token: "0123456789abcdef".repeat(4),
    claimant: ownIdentity(),
    claimedAt: "2030-01-02T03:04:05.678Z",
    ...change,
  };
}

export function servingRecord(change: Partial<ServingRecord> = {}): ServingRecord {
  return {
    ...claimedRecord(),
    state: "serving",
    instance: "fedcba9876543210".repeat(2),
    broker: ownIdentity(),
    appServer: null,
    endpoint: "/state/run/key.7.fedcba.sock",
    current: "/state/run/key.current",
    startedAt: "2030-01-02T03:04:06.000Z",
    workspace: "/work",
    codex: "/bin/codex",
    fingerprint: "100-200",
    codexHome: "/home/.codex",
    settings: { config: "c", trust: "", login: "l" },
    versions: { broker: "1.2.3", build: "b", node: "20.19.0" },
    ...change,
  };
}

export function endedRecord(change: Partial<EndedRecord> = {}): EndedRecord {
  return {
    ...claimedRecord(),
    state: "ended",
    reason: "idle",
    abnormal: false,
    at: "2030-01-02T04:00:00.000Z",
    exit: { code: 0, signal: null },
    error: null,
    stderrTail: "",
    ...change,
  };
}
