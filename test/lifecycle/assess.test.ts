import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BrokerError, type BrokerErrorJson, type ErrorKind } from "../../src/base/errors.ts";
import {
  assess,
  isNewer,
  type Observation,
  type Policy,
  type VerdictName,
} from "../../src/lifecycle/assess.ts";
import type { Contact, NextStep } from "../../src/lifecycle/evidence.ts";
import type { Liveness } from "../../src/os/process-identity.ts";
import {
  BROKER_PROTOCOL,
  type BrokerHello,
  type BrokerState,
} from "../../src/wire/broker-protocol.ts";
import { claimedRecord, endedRecord, servingRecord } from "./records.ts";

const POLICY: Policy = {
  claimLimitMs: 15_000,
  unresponsiveAfterMs: 8_000,
  slowestAnswerMs: 40_000,
  maxAgeMs: 3_600_000,
  brokerVersion: "1.2.3",
};
const NO_AGE_LIMIT: Policy = { ...POLICY, maxAgeMs: 0 };

type Serving = Extract<Observation, { state: "serving" }>;
type Hello = Serving & { readonly contact: Extract<Contact, { kind: "hello" }> };

function hello(change: Partial<BrokerHello> & { readonly unansweredMs?: number } = {}): Contact {
  const { unansweredMs = 0, ...rest } = change;
  return {
    kind: "hello",
    hello: {
      protocol: BROKER_PROTOCOL,
      instance: "i",
      epoch: 7,
      state: "serving",
      proof: "p",
      pid: 1,
      startedAt: "2030-01-02T03:04:06.000Z",
      versions: { broker: "1.2.3", build: "b", node: "20.19.0", codex: "0.169.0" },
      appServer: { pid: 2, version: "0.169.0", lastAnswerMsAgo: 1, unansweredMs },
      ...rest,
    },
  };
}

function serving(change: Partial<Serving> = {}): Serving {
  return {
    state: "serving",
    record: servingRecord(),
    broker: "unknown",
    contact: hello(),
    forMs: 0,
    idleMs: 0,
    otherHost: false,
    ageMs: 0,
    ours: false,
    changed: undefined,
    ...change,
  };
}

const isServing = (seen: Observation): seen is Serving => seen.state === "serving";
const contactIs =
  (kind: Contact["kind"], more: (seen: Serving) => boolean = () => true) =>
  (seen: Observation): boolean =>
    isServing(seen) && seen.contact.kind === kind && more(seen);
const helloWhere =
  (more: (said: BrokerHello, seen: Serving, policy: Policy) => boolean) =>
  (seen: Observation, policy: Policy): boolean =>
    isServing(seen) && seen.contact.kind === "hello" && more(seen.contact.hello, seen, policy);
/** Whether a contact that proves nothing yet has been met for too long. */
const isTooLong = (seen: Serving): boolean =>
  seen.contact.kind === "silent"
    ? seen.idleMs >= 8_000 || seen.forMs >= 40_000
    : seen.forMs >= 8_000;
const isGone = ({ broker }: Serving): boolean => broker === "gone";
const isElsewhere = ({ otherHost }: Serving): boolean => otherHost;
const rejectedWith = (kinds: readonly ErrorKind[], more: (seen: Serving) => boolean = () => true) =>
  contactIs(
    "rejected",
    (seen) => kinds.includes((seen.contact as { error: BrokerErrorJson }).error.kind) && more(seen),
  );
const isUnread =
  (more: (seen: Extract<Observation, { state: "unreadable" }>) => boolean) =>
  (seen: Observation): boolean =>
    seen.state === "unreadable" && more(seen);
const isClaimedWhere =
  (more: (seen: Extract<Observation, { state: "claimed" }>) => boolean) =>
  (seen: Observation): boolean =>
    seen.state === "claimed" && more(seen);

interface Row {
  readonly row: string;
  readonly fits: (seen: Observation, policy: Policy) => boolean;
  readonly verdict: VerdictName;
  readonly step: NextStep;
}

/** The table of `ensure` in docs/design.md, from the top; the first row that fits counts. */
const TABLE: readonly Row[] = [
  { row: "none", fits: ({ state }) => state === "none", verdict: "absent", step: "supersede" },
  { row: "ended", fits: ({ state }) => state === "ended", verdict: "dead", step: "supersede" },
  {
    row: "unreadable: what stands there is no record",
    fits: isUnread(({ damaged }) => damaged),
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "unreadable: not permitted",
    fits: isUnread(({ code }) => code === "EACCES"),
    verdict: "unknown",
    step: "fail",
  },
  {
    row: "unreadable: the system failed, for now",
    fits: isUnread(({ forMs }) => forMs < 8_000),
    verdict: "unknown",
    step: "ask",
  },
  {
    row: "unreadable: the system fails for too long",
    fits: isUnread(() => true),
    verdict: "unknown",
    step: "fail",
  },
  {
    row: "claimed: claimant gone (or of another boot)",
    fits: isClaimedWhere(({ claimant }) => claimant === "gone"),
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "claimed: over the limit",
    fits: isClaimedWhere(({ claimAgeMs }) => claimAgeMs > 15_000),
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "claimed: claimant not gone and within the limit",
    fits: isClaimedWhere(() => true),
    verdict: "starting",
    step: "wait",
  },
  { row: "not permitted", fits: contactIs("denied"), verdict: "denied", step: "fail" },
  {
    row: "it answers that it is full",
    fits: rejectedWith(["tooManySessions"]),
    verdict: "rejected",
    step: "fail",
  },
  {
    row: "its process is proven gone",
    fits: (seen) =>
      isServing(seen) && isGone(seen) && !isElsewhere(seen) && seen.contact.kind !== "hello",
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "it answers that it ends",
    fits: rejectedWith(["appServerExited"], (seen) => !isTooLong(seen)),
    verdict: "rejected",
    step: "ask",
  },
  {
    row: "it has answered that it ends for too long",
    fits: rejectedWith(["appServerExited"]),
    verdict: "rejected",
    step: "supersede",
  },
  {
    row: "this process cannot connect, for now",
    fits: contactIs("unable", (seen) => !isTooLong(seen)),
    verdict: "unknown",
    step: "ask",
  },
  {
    row: "this process cannot connect",
    fits: contactIs("unable"),
    verdict: "unknown",
    step: "fail",
  },
  {
    row: "a record of another host, and no answer",
    fits: (seen) => isServing(seen) && isElsewhere(seen) && seen.contact.kind !== "hello",
    verdict: "foreign",
    step: "fail",
  },
  {
    row: "refused, no such socket",
    fits: contactIs("refused"),
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "no address for a socket",
    fits: contactIs("misplaced"),
    verdict: "dead",
    step: "supersede",
  },
  {
    row: "another instance answers",
    fits: contactIs("stranger"),
    verdict: "foreign",
    step: "supersede",
  },
  {
    row: "closed without an answer, for now",
    fits: contactIs("closed", (seen) => !isTooLong(seen)),
    verdict: "unresponsive",
    step: "ask",
  },
  {
    row: "closed without an answer for too long",
    fits: contactIs("closed"),
    verdict: "unresponsive",
    step: "supersede",
  },
  {
    row: "no answer yet, or its process is at work",
    fits: contactIs("silent", (seen) => !isTooLong(seen)),
    verdict: "unresponsive",
    step: "ask",
  },
  {
    row: "no answer for too long",
    fits: contactIs("silent"),
    verdict: "unresponsive",
    step: "supersede",
  },
  {
    row: "hello in a newer protocol",
    fits: helloWhere(({ protocol }) => protocol > BROKER_PROTOCOL),
    verdict: "incompatible",
    step: "fail",
  },
  {
    row: "hello in an older protocol",
    fits: helloWhere(({ protocol }) => protocol < BROKER_PROTOCOL),
    verdict: "drifted",
    step: "supersede",
  },
  {
    row: "draining",
    fits: helloWhere(({ state }) => !["starting", "serving"].includes(state)),
    verdict: "draining",
    step: "supersede",
  },
  {
    row: "its app-server does not answer yet",
    fits: helloWhere(({ appServer: { unansweredMs } }) => unansweredMs > 0 && unansweredMs < 8_000),
    verdict: "unresponsive",
    step: "ask",
  },
  {
    row: "its app-server has not answered for too long",
    fits: helloWhere(({ appServer }) => appServer.unansweredMs > 0),
    verdict: "unresponsive",
    step: "supersede",
  },
  {
    row: "codex, its configuration or its login has changed",
    fits: helloWhere((_said, { ours, changed }) => !ours && changed !== undefined),
    verdict: "drifted",
    step: "supersede",
  },
  {
    row: "this program is newer",
    fits: helloWhere((_said, { ours, record }) => !ours && record.versions.broker === "1.2.2"),
    verdict: "drifted",
    step: "supersede",
  },
  {
    row: "aged, or of an age that nobody can tell",
    fits: helloWhere(
      (_said, { ours, ageMs }, { maxAgeMs }) => !ours && maxAgeMs > 0 && !(ageMs <= maxAgeMs),
    ),
    verdict: "aged",
    step: "supersede",
  },
  {
    row: "same instance, its app-server is starting",
    fits: helloWhere(({ state }) => state === "starting"),
    verdict: "starting",
    step: "use",
  },
  { row: "same instance, usable", fits: contactIs("hello"), verdict: "usable", step: "use" },
];

const LIVENESS: readonly Liveness[] = ["alive", "gone", "unknown"];
const STATES: readonly BrokerState[] = ["starting", "serving", "draining", "stopping", "ended"];
const startFailure = new BrokerError("appServerStartFailed", "It would not start.").toJSON();

/** Every combination of everything that counts, at and around every limit. */
function* everyObservation(): Generator<Observation> {
  yield { state: "none" };
  const unreadable = { state: "unreadable", epoch: 7 } as const;
  for (const forMs of [0, 7_999, 8_000]) {
    yield { ...unreadable, why: "it is empty", damaged: true, code: undefined, forMs };
    for (const code of ["EIO", "ESTALE", "EACCES", "EMFILE"]) {
      yield { ...unreadable, why: `${code}: open it.`, damaged: false, code, forMs };
    }
  }
  yield { state: "ended", record: endedRecord() };
  yield { state: "ended", record: endedRecord({ error: startFailure, reason: "It broke." }) };
  for (const claimant of LIVENESS) {
    for (const claimAgeMs of [0, 14_999, 15_000, 15_001, 1e9]) {
      yield { state: "claimed", record: claimedRecord(), claimant, claimAgeMs };
    }
  }
  for (const broker of LIVENESS) {
    for (const { contact, ...times } of everyContact()) {
      for (const changed of [undefined, "config.toml has changed."]) {
        for (const version of ["1.2.2", "1.2.3", "1.2.4"]) {
          const versions = { ...servingRecord().versions, broker: version };
          const record = servingRecord({ versions });
          for (const ageMs of [0, 3_600_000, 3_600_001, Number.NaN]) {
            for (const ours of [false, true]) {
              yield serving({ broker, contact, ...times, changed, record, ageMs, ours });
            }
          }
        }
      }
    }
  }
}

type Met = Pick<Serving, "contact" | "forMs" | "idleMs" | "otherHost">;

function* everyContact(): Generator<Met> {
  const contacts: readonly Contact[] = [
    ...(["refused", "misplaced", "denied", "closed", "unable"] as const).map((kind) => ({
      kind,
      code: "ECODE",
    })),
    { kind: "stranger", why: "It is another instance." },
    { kind: "silent" },
    { kind: "rejected", error: new BrokerError("tooManySessions", "It is full.").toJSON() },
    { kind: "rejected", error: new BrokerError("appServerExited", "It has ended.").toJSON() },
  ];
  for (const contact of contacts) {
    for (const forMs of [0, 7_999, 8_000, 39_999, 40_000]) {
      for (const idleMs of new Set([0, 7_999, 8_000].filter((idle) => idle <= forMs))) {
        for (const otherHost of [false, true]) yield { contact, forMs, idleMs, otherHost };
      }
    }
  }
  for (const state of STATES) {
    for (const protocol of [BROKER_PROTOCOL - 1, BROKER_PROTOCOL, BROKER_PROTOCOL + 1]) {
      for (const unansweredMs of [0, 1, 7_999, 8_000]) {
        const contact = hello({ state, protocol, unansweredMs });
        yield { contact, forMs: 0, idleMs: 0, otherHost: state === "serving" };
      }
    }
  }
}

const everything = [...everyObservation()].flatMap((seen) =>
  [POLICY, NO_AGE_LIMIT].map((policy) => ({ seen, policy, ...assess(seen, policy) })),
);

describe("every observation against every row of the table", () => {
  test("F03 F06 F07 S1 S2 S7: has the verdict and the step of the first row that fits", () => {
    const wrong = everything.filter(({ seen, policy, verdict, step }) => {
      const row = TABLE.find(({ fits }) => fits(seen, policy));
      return row?.verdict !== verdict || row.step !== step;
    });
    expect(everything.length).toBeGreaterThan(5_000);
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  test.each(TABLE.map(({ row }, index) => [row, index] as const))(
    "there is one for: %s",
    (_row, index) => {
      const first = ({ seen, policy }: (typeof everything)[number]): boolean =>
        TABLE.findIndex(({ fits }) => fits(seen, policy)) === index;
      expect(everything.some(first)).toBe(true);
    },
  );

  test("gives a reason that is part of a sentence: neither empty nor ended", () => {
    const reasons = [...new Set(everything.map(({ reason }) => reason))];
    expect(reasons.filter((reason) => !/^\S.*[^.\s]$/s.test(reason))).toEqual([]);
    expect(reasons.filter((reason) => /undefined|null|\[object/.test(reason))).toEqual([]);
  });
});

describe("whatever is seen", () => {
  test("S1 F06: nothing is used without a hello of this very protocol", () => {
    for (const { seen, step } of everything.filter((each) => each.step === "use")) {
      expect(step).toBe("use");
      const { contact } = seen as Hello;
      expect(contact.kind).toBe("hello");
      expect(contact.hello.protocol).toBe(BROKER_PROTOCOL);
      expect(["starting", "serving"]).toContain(contact.hello.state);
      expect(contact.hello.appServer.unansweredMs).toBe(0);
    }
  });

  test("F83: a connection that is not permitted starts nothing", () => {
    const denied = everything.filter(({ seen }) => contactIs("denied")(seen));
    expect(new Set(denied.map(({ step }) => step))).toEqual(new Set(["fail"]));
    expect(denied[0]?.reason).toContain("/state/run/key.7.fedcba.sock (ECODE)");
  });

  test("F03: silence below the limit leads to another question, unless the process is proven gone", () => {
    const silent = everything.filter(({ seen }) =>
      contactIs(
        "silent",
        (each) => each.forMs < 8_000 && !isGone(each) && !isElsewhere(each),
      )(seen),
    );
    expect(silent.length).toBeGreaterThan(0);
    expect(new Set(silent.map(({ step }) => step))).toEqual(new Set(["ask"]));
  });

  test("a broker whose process is at work is slow, and is asked again for 40 s (F124)", () => {
    const slow = everything.filter(({ seen }) =>
      contactIs("silent", ({ broker, forMs, idleMs, otherHost }) => {
        return broker === "alive" && !otherHost && idleMs < 8_000 && forMs < 40_000;
      })(seen),
    );
    expect(slow.some(({ seen }) => (seen as Serving).forMs > 30_000)).toBe(true);
    expect(new Set(slow.map(({ step }) => step))).toEqual(new Set(["ask"]));
  });

  test("a broker that rejects a client because it is full is not superseded, and the client gets that error (F118)", () => {
    const full = everything.filter(({ seen }) => rejectedWith(["tooManySessions"])(seen));
    expect(new Set(full.map(({ step }) => step))).toEqual(new Set(["fail"]));
    expect(new Set(full.map(({ error }) => error?.kind))).toEqual(new Set(["tooManySessions"]));
  });

  test("what proves nothing supersedes nothing: an error of this process, a record of another host, a file that cannot be read (F126 F133)", () => {
    const unproven = everything.filter(
      ({ seen }) =>
        contactIs("unable", (each) => !isGone(each))(seen) ||
        (isServing(seen) &&
          isElsewhere(seen) &&
          !["hello", "rejected"].includes(seen.contact.kind)) ||
        isUnread(({ damaged }) => !damaged)(seen),
    );
    expect(unproven.length).toBeGreaterThan(100);
    expect(unproven.filter(({ step }) => step === "supersede")).toEqual([]);
    // Every one of them ends with an error that a caller can act upon.
    const failed = unproven.filter(({ step, verdict }) => step === "fail" && verdict !== "denied");
    expect(failed.every(({ error }) => error !== undefined && error.hint !== "")).toBe(true);
  });

  test("a broker that was started for this very call is not replaced for age or drift", () => {
    const own = everything.filter(({ seen }) => isServing(seen) && seen.ours);
    expect(own.filter(({ verdict }) => verdict === "aged")).toEqual([]);
    const drifted = own.filter(({ verdict }) => verdict === "drifted");
    expect(new Set(drifted.map(({ reason }) => reason))).toEqual(
      new Set([`the broker speaks the older protocol ${BROKER_PROTOCOL - 1}`]),
    );
  });

  test("F53: the failure that an obituary holds is handed on, and only that", () => {
    const withError = everything.filter(
      ({ seen, error }) => error !== undefined && seen.state === "ended",
    );
    expect(new Set(withError.map(({ error }) => error))).toEqual(new Set([startFailure]));
    for (const { step, error } of everything) {
      if (error !== undefined && step !== "fail") expect(["supersede", "ask"]).toContain(step);
    }
  });
});

describe("which version is newer", () => {
  const number = fc.nat({ max: 12 });
  const version = fc
    .tuple(
      fc.array(number, { minLength: 1, maxLength: 4 }),
      fc.constantFrom("", "-rc.1", "-source"),
    )
    .map(([numbers, suffix]) => numbers.join(".") + suffix);

  test.each([
    ["1.2.4", "1.2.3"],
    ["1.10.0", "1.9.9"],
    ["2.0.0", "1.99.99"],
    ["1.2.3.1", "1.2.3"],
    ["0.0.1", "0.0.0-source"],
  ])("%s comes after %s", (newer, older) => {
    expect(isNewer(newer, older)).toBe(true);
    expect(isNewer(older, newer)).toBe(false);
  });

  test.each([
    ["1.2.3", "1.2.3"],
    ["1.2", "1.2.0"],
    ["1.2.3", "1.2.3-rc.1"],
    ["1.2.3-rc.2", "1.2.3-rc.1"],
  ])("%s and %s replace each other never", (a, b) => {
    expect([isNewer(a, b), isNewer(b, a)]).toEqual([false, false]);
  });

  test("is a strict order: two installations never replace each other in turn", () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(isNewer(a, a)).toBe(false);
        if (isNewer(a, b)) expect(isNewer(b, a)).toBe(false);
        if (isNewer(a, b) && isNewer(b, c)) expect(isNewer(a, c)).toBe(true);
        if (!isNewer(a, b) && !isNewer(b, a)) expect(isNewer(a, c)).toBe(isNewer(b, c));
      }),
      { numRuns: 1_000 },
    );
  });

  test("is answered for any text, and never by an error", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(isNewer(a, b) && isNewer(b, a)).toBe(false);
      }),
    );
  });
});
