import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { diagnose } from "../../src/doctor/diagnose.ts";
import { FINDING_CODES, severityOf, type FindingCode } from "../../src/doctor/finding.ts";
import type { PluginBrokerSeen } from "../../src/doctor/plugin/plugin-broker.ts";
import { BrokerError } from "../../src/base/errors.ts";
import { ownIdentity } from "../../src/os/process-identity.ts";
import { LAST_EPOCH } from "../../src/lifecycle/epoch-file.ts";
import { claimedRecord, endedRecord, servingRecord } from "../lifecycle/records.ts";
import { hello, NOW, read, seen, serving, status, type Change } from "./seen.ts";

const IDENTITY = ownIdentity();

function pluginBroker(change: Partial<PluginBrokerSeen> = {}): PluginBrokerSeen {
  return {
    broker: {
      identity: IDENTITY,
      script: "/p/app-server-broker.mjs",
      socket: "/tmp/cxc-a/broker.sock",
      pidFile: "/tmp/cxc-a/broker.pid",
      cwd: "/work",
    },
    ageMs: 60_000,
    doubt: undefined,
    occupation: { state: "idle", why: "no client is connected" },
    record: null,
    ofWorkspace: true,
    ...change,
  };
}

const failed = (n: number): string => new Date(NOW - n * 1000).toISOString();
const gone = { broker: "gone", appServer: "gone" } as const;
const silent = { kind: "silent" } as const;
const full = {
  kind: "rejected",
  error: new BrokerError("tooManySessions", "It is full.").toJSON(),
} as const;
const refused = { kind: "refused", code: "ECONNREFUSED" } as const;
const codex = { found: true, path: "/bin/codex", version: "0.169.0", noSandbox: null } as const;
const unresolved = (kind: ConstructorParameters<typeof BrokerError>[0]) =>
  ({ found: false, error: new BrokerError(kind, `It is ${kind}.`).toJSON() }) as const;

/** One for each code: what is otherwise than on a machine on which all is well. */
const CASES: Readonly<Record<FindingCode, Change>> = {
  stateDirRelative: {
    ground: {
      stateDir: { state: "refused", error: new BrokerError("usage", "It is relative.").toJSON() },
    },
  },
  stateDirUnsafe: {
    ground: { directories: [{ path: "/state", danger: { why: "is open", mode: 0o755 } }] },
  },
  stateDirUnusable: { ground: { directories: [{ path: "/state", unusable: "EACCES" }] } },
  stateDirChosen: { ground: { stateDir: { state: "chosen", path: "/x", overridden: true } } },
  otherFormat: { ground: { otherFormats: ["/state/v2"] } },
  socketPathTooLong: { ground: { place: { preferred: "/long", used: undefined } } },
  socketFallback: { ground: { place: { preferred: "/long", used: "/tmp/codex-broker-1" } } },
  leftOverSocket: { ground: { sockets: [{ path: "/s", ageMs: 61_000, unused: true }] } },
  danglingCurrent: { ground: { links: [{ path: "/c", target: "/s", dangling: true }] } },
  unfinishedFile: { ground: { unfinished: [{ path: "/x.tmp", ageMs: 61_000 }] } },
  epochUnreadable: {
    epochs: [
      {
        reading: {
          state: "unreadable",
          epoch: 3,
          why: "it is not JSON",
          damaged: true,
          code: undefined,
        },
      },
    ],
  },
  staleEpoch: { epochs: [serving(gone)] },
  orphanedAppServer: {
    epochs: [serving({ broker: "gone", descendants: 2 }, { appServer: { ...IDENTITY, pid: 77 } })],
  },
  abandonedClaim: { epochs: [{ ...read(claimedRecord()), claimant: "gone" }] },
  silentBroker: { epochs: [serving({ contact: silent })] },
  endingBroker: { epochs: [serving({ contact: refused })] },
  silentAppServer: {
    epochs: [
      serving({
        contact: hello({
          appServer: { pid: 5, version: null, lastAnswerMsAgo: null, unansweredMs: 4000 },
        }),
      }),
    ],
  },
  stuckDrain: { epochs: [serving({ status: status({ forMs: 100_000, limitMs: 30_000 }) })] },
  unprovableBroker: { epochs: [serving({ broker: "unknown", contact: refused })] },
  strangerAnswers: { epochs: [serving({ contact: { kind: "stranger", why: "it is another" } })] },
  endsWithHost: { epochs: [serving({ status: status(null, { endsWithHost: true }) })] },
  otherProtocol: { epochs: [serving({ contact: hello({ protocol: 2 }) })] },
  lastEpoch: {
    epochs: [read(endedRecord({ epoch: LAST_EPOCH }))],
  },
  fullBroker: { epochs: [serving({ contact: full })] },
  unaskedBroker: { epochs: [serving({ contact: { kind: "unable", code: "EMFILE" } })] },
  crashLoop: {
    epochs: [1, 2, 3, 4, 5].map((n) =>
      read(endedRecord({ epoch: 6 - n, abnormal: true, at: failed(n), reason: `reason ${n}.` })),
    ),
  },
  siblingBrokers: { epochs: [serving()], others: [serving({}, { codexHome: "/other" })] },
  sandboxDenied: { epochs: [serving({ contact: { kind: "denied", code: "EPERM" } })] },
  sandboxed: { surroundings: { sandbox: ["CODEX_SANDBOX"] } },
  noSandboxHere: { surroundings: { codex: { ...codex, noSandbox: "no namespaces" } } },
  nodeTooOld: { surroundings: { node: "20.18.3" } },
  killsByNumber: { surroundings: { signalsThroughDescriptors: false } },
  noProofHere: { surroundings: { canProve: false, platform: "darwin" } },
  workspaceInvalid: { surroundings: { workspace: unresolved("workspaceInvalid") } },
  codexHomeUnwritable: {
    surroundings: {
      unwritable: { path: "/h/.codex", errno: "EACCES", owner: "root (0)", own: false },
    },
  },
  codexHomeMissing: { surroundings: { codexHome: unresolved("codexHomeMissing") } },
  codexNotFound: { surroundings: { codex: unresolved("codexNotFound") } },
  codexUnusable: {
    surroundings: { codex: { ...codex, version: null } },
  },
  codexTooOld: {
    surroundings: { codex: { ...codex, version: "0.123.9" } },
  },
  otherCodex: { epochs: [serving({}, { codex: "/elsewhere/codex" })] },
  notLoggedIn: {
    surroundings: { login: { file: "absent", path: "/home/.codex/auth.json", elsewhere: false } },
  },
  loginNotSeen: {
    surroundings: { login: { file: "absent", path: "/home/.codex/auth.json", elsewhere: true } },
  },
  loginUnreadable: {
    surroundings: { login: { file: "unreadable", path: "/a/auth.json", elsewhere: false } },
  },
  endpointVariableDead: {
    surroundings: { endpointVariable: { path: "/gone.sock", reached: "refused" } },
  },
  pluginBrokerIdle: { plugin: { brokers: [pluginBroker()], records: [] } },
  pluginBrokerKept: { plugin: { brokers: [pluginBroker({ record: "/b.json" })], records: [] } },
  pluginBrokerBusy: {
    plugin: {
      brokers: [pluginBroker({ occupation: { state: "busy", why: "a client is connected" } })],
      records: [],
    },
  },
  pluginBrokerUnproven: {
    plugin: { brokers: [pluginBroker({ doubt: "its pid file is gone" })], records: [] },
  },
  pluginRecordStale: {
    plugin: {
      brokers: [],
      records: [{ path: "/b.json", pid: 1, socket: "/s", process: "gone", reached: "refused" }],
    },
  },
};

/** What is touched by `--fix`, and nothing else is. */
const MENDED: Readonly<Partial<Record<FindingCode, string>>> = {
  stateDirUnsafe: "closeDirectory",
  leftOverSocket: "removeSocket",
  danglingCurrent: "removeLink",
  unfinishedFile: "removeUnfinished",
  lastEpoch: "moveLastEpochAside",
  staleEpoch: "bury",
  orphanedAppServer: "endOrphan",
  silentBroker: "endSilent",
  endingBroker: "endSilent",
  stuckDrain: "endDrain",
  pluginBrokerIdle: "endPluginBroker",
  pluginBrokerKept: "endPluginBroker",
};

describe("findings", () => {
  test("a machine on which all is well has none", () => {
    expect(diagnose(seen())).toEqual([]);
    expect(diagnose(seen({ epochs: [serving()] }))).toEqual([]);
  });

  test.each(Object.entries(CASES) as Array<[FindingCode, Change]>)(
    "%s is found, in a sentence, with what to do next",
    (code, change) => {
      const found = diagnose(seen(change)).find((each) => each.code === code);
      expect(found).toBeDefined();
      expect(found?.severity).toBe(severityOf(code));
      expect(found?.message).toMatch(/^[A-Z/].*\.$/);
      expect(found?.next).toMatch(/[.)]$/);
      expect(found?.remedy?.kind).toBe(MENDED[code]);
      // A remedy may hold a record; what is printed may not.
      expect(JSON.stringify({ ...found, remedy: undefined })).not.toContain(servingRecord().token);
    },
  );

  test("the worst comes first", () => {
    const codes = diagnose(
      seen({
        surroundings: { sandbox: ["CODEX_SANDBOX"], node: "18.0.0" },
        epochs: [serving(gone)],
      }),
    ).map(({ code }) => code);
    expect(codes).toEqual(["nodeTooOld", "staleEpoch", "sandboxed"]);
  });

  test("docs/doctor.md has a row for each code, with its severity, and for nothing else", () => {
    const text = readFileSync("docs/doctor.md", "utf8");
    const rows = [...text.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, code, severity]) => [
      code,
      severity,
    ]);
    expect(rows).toEqual(FINDING_CODES.map((code) => [code, severityOf(code)]));
  });
});

test("every path in a line that is to be typed is one word for the shell (F184)", () => {
  const path = "/home/a b/$(id)";
  const word = "'/home/a b/$(id)";
  const danger = { why: "belongs to user 7" };
  const kept = pluginBroker({ record: "/b.json", ofWorkspace: false });
  const broker = { ...kept.broker, cwd: path };
  const found = diagnose({
    ...seen({
      ground: { directories: [{ path, danger }] },
      surroundings: { login: { file: "unreadable", path: `${path}/auth.json`, elsewhere: false } },
      plugin: { brokers: [{ ...kept, broker }], records: [] },
    }),
    scopes: [
      {
        key: "k",
        directory: path,
        epochs: [
          serving(),
          serving({ broker: "unknown", contact: refused }),
          {
            reading: {
              state: "unreadable",
              epoch: 3,
              why: "it is not JSON",
              damaged: true,
              code: undefined,
            },
          },
        ],
      },
    ],
  });
  const commands = found.flatMap(({ next }) => next.match(/`[^`]*`/g) ?? []);
  const withPath = commands.filter((command) => command.includes("/home/a b"));
  expect(withPath).toHaveLength(5);
  for (const command of withPath) expect(command).toContain(` ${word}`);
});

describe("what is not wrong", () => {
  test("F83: a socket that a sandbox forbids says nothing about the broker behind it", () => {
    const denied = { kind: "denied", code: "EPERM" } as const;
    const codes = diagnose(seen({ epochs: [serving({ broker: "unknown", contact: denied })] }));
    expect(codes.map(({ code }) => code)).toEqual(["sandboxDenied"]);
  });

  test("a directory that another user prepared is not mended", () => {
    const danger = { why: "belongs to user 7" };
    const [found] = diagnose(seen({ ground: { directories: [{ path: "/state", danger }] } }));
    expect(found).toMatchObject({ code: "stateDirUnsafe" });
    expect(found?.remedy).toBeUndefined();
  });

  test("what is young may still be in the making", () => {
    const ground = {
      sockets: [{ path: "/s", ageMs: 59_000, unused: true }],
      unfinished: [{ path: "/x.tmp", ageMs: 59_000 }],
    };
    expect(diagnose(seen({ ground }))).toEqual([]);
  });

  test("a broker of another container that answers, a drain within its time, a claim in its time", () => {
    const claimedAt = new Date(NOW - 1000).toISOString();
    expect(
      diagnose(
        seen({
          epochs: [
            { ...read(claimedRecord({ claimedAt })), claimant: "alive" },
            serving({ broker: "unknown" }),
            serving({ status: status({ forMs: 20_000, limitMs: 30_000 }) }),
          ],
        }),
      ),
    ).toEqual([]);
  });

  test("what Codex itself says of the login counts for more than the file", () => {
    const login = { file: "absent", path: "/a", elsewhere: false } as const;
    const found = (account: { loggedIn: boolean; needed: boolean }): string[] =>
      diagnose(seen({ surroundings: { login }, epochs: [serving({ account })] })).map(
        ({ code }) => code,
      );
    expect(found({ loggedIn: false, needed: false })).toEqual([]);
    expect(found({ loggedIn: true, needed: true })).toEqual([]);
    expect(found({ loggedIn: false, needed: true })).toEqual(["notLoggedIn"]);
  });

  test("a plugin broker that its plugin can still find is left to it in other workspaces", () => {
    const brokers = [pluginBroker({ record: "/b.json", ofWorkspace: false })];
    const [found] = diagnose(seen({ plugin: { brokers, records: [] } }));
    expect(found).toMatchObject({ code: "pluginBrokerKept" });
    expect(found?.remedy).toBeUndefined();
  });

  test("a plugin broker that is busy is never to be ended, proven or not", () => {
    const busy = { state: "busy", why: "a client is connected" } as const;
    for (const doubt of [undefined, "its pid file is gone"]) {
      const brokers = [pluginBroker({ occupation: busy, doubt })];
      const [found] = diagnose(seen({ plugin: { brokers, records: [] } }));
      expect(found).toMatchObject({ code: "pluginBrokerBusy" });
      expect(found?.remedy).toBeUndefined();
    }
  });
});
