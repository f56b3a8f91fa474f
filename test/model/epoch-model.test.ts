import { afterAll, describe, expect, test } from "vitest";
import { epochModel, NO_FAULTS, PROTOCOL, type Rules } from "./epoch-model.ts";
import type { Faults, Shape, State } from "./epoch-state.ts";
import { explore, type Exploration, type Model } from "./explorer.ts";

const TIMEOUT_MS = 120_000;

const summary: string[] = [];
afterAll(() => console.log(summary.join("\n")));

function run(what: string, model: Model<State>): Exploration {
  const result = explore(model);
  const { states, steps, breach } = result;
  const end =
    breach === undefined ? "nothing is broken" : `${breach.what}: ${breach.trace.length} steps`;
  summary.push(`${what}: ${states} states, ${steps} steps; ${end}`);
  return result;
}

function world(contenders: number, epochs: number, faults: Partial<Faults> = {}): Shape {
  return { contenders, epochs, faults: { ...NO_FAULTS, ...faults } };
}

/** A failure shows the way to it, which is what one wants to know. */
function expectNoBreach({ breach }: Exploration): void {
  expect(breach).toBeUndefined();
}

describe("the epoch protocol, in every state that it can reach", () => {
  test("F01 S12: without faults and without clocks, one broker is started and everyone is connected to it", () => {
    const model = epochModel(world(3, 3), { ...PROTOCOL, clocks: false });
    const once: Model<State> = {
      ...model,
      breachAtRest: (state) =>
        state.newest === 1 ? model.breachAtRest(state) : "more than one epoch was claimed",
    };
    expectNoBreach(run("3 contenders, no faults, no clocks", once));
  });

  test("F10 S12: no clock is needed to get past any number of crashes", () => {
    const model = epochModel(world(3, 3, { crashes: 3 }), { ...PROTOCOL, clocks: false });
    expectNoBreach(run("3 contenders, 3 crashes, no clocks", model));
  });

  const worlds: Record<string, Shape> = {
    "3 contenders, 3 epochs, a crash": world(3, 3, { crashes: 1 }),
    "3 contenders, 2 epochs, a crash, a process that stops": world(3, 2, { crashes: 1, sleeps: 1 }),
    "2 contenders, 3 epochs, a crash, a process that stops, a caller that gives up": world(2, 3, {
      crashes: 1,
      sleeps: 1,
      resignations: 1,
    }),
    "2 contenders, 3 epochs, a process that stops, a rotation, a reused pid": world(2, 3, {
      sleeps: 1,
      rotations: 1,
      reusedPids: 1,
    }),
    "2 contenders, 3 epochs, an idle end, an obituary cleared away, old listings": world(2, 3, {
      ends: 1,
      forgotten: 1,
      lateListings: 2,
    }),
    "2 contenders, 2 epochs, a process that stops, all files removed": world(2, 2, {
      sleeps: 1,
      wipes: 1,
    }),
  };
  test.each(Object.entries(worlds))("S5 S12: %s", { timeout: TIMEOUT_MS }, (what, shape) => {
    expectNoBreach(run(what, epochModel(shape)));
  });

  const apart = { hosts: [0, 1] };
  const hostsAndErrors: Record<string, Shape> = {
    "2 hosts, 3 epochs, a crash, a process that stops": {
      ...world(2, 3, { crashes: 1, sleeps: 1 }),
      ...apart,
    },
    "3 contenders on 2 hosts, 2 epochs, a crash, an idle end": {
      ...world(3, 2, { crashes: 1, ends: 1 }),
      hosts: [0, 0, 1],
    },
    "2 contenders, 3 epochs, a full broker, an error of one's own, a rotation, a process that stops":
      world(2, 3, { rejections: 1, ownErrors: 1, rotations: 1, sleeps: 1 }),
    "2 contenders that disagree, 4 epochs, 2 replacements before the pause, a crash": {
      ...world(2, 4, { replacements: 2, crashes: 1 }),
      disagree: true,
    },
    "3 contenders, 3 epochs, 2 rotations": world(3, 3, { rotations: 2 }),
  };
  test.each(Object.entries(hostsAndErrors))(
    "%s: one broker an epoch, nobody superseded or signalled without proof, and it comes to rest (F118 F124 F126 F133)",
    { timeout: TIMEOUT_MS },
    (what, shape) => {
      expectNoBreach(run(what, epochModel(shape)));
    },
  );

  test(
    "requests for a new broker at the same time end with one new broker (F124)",
    { timeout: TIMEOUT_MS },
    () => {
      const model = epochModel(world(3, 3, { rotations: 3 }), { ...PROTOCOL, clocks: false });
      const atTheSameTime: Model<State> = {
        ...model,
        // All of them are made of the first broker.
        steps: (state) =>
          model
            .steps(state)
            .filter(
              ({ label, epoch }) => label !== "a contender is to replace the broker" || epoch === 1,
            ),
        breachOf: (state) =>
          state.newest > 2 ? "one more broker than was asked for" : model.breachOf(state),
      };
      expectNoBreach(run("3 contenders, 3 rotations at the same time, no clocks", atTheSameTime));
    },
  );

  test("a listing that stays old even after the claim starts a broker in vain, and no more than that", () => {
    const shape = world(2, 3, { ends: 1, forgotten: 1, lateListings: 1 });
    const rules = { ...PROTOCOL, listsAgainLate: true };
    expectNoBreach(run("2 contenders, every listing may be old", epochModel(shape, rules)));
  });
});

interface Mutation {
  readonly change: Partial<Rules>;
  readonly in: Shape;
  readonly breaks: string;
  /** Looks away from who wrote where, to see what comes of it. */
  readonly onlyWhatComesOfIt?: boolean;
}

describe("the model has teeth: it notices when", () => {
  const faulty = { crashes: 1, sleeps: 1 };
  const mutations: Record<string, Mutation> = {
    "an epoch is claimed by writing over it": {
      change: { claim: "overwrite" },
      in: world(2, 3),
      breaks: "a broker wrote over what was not its own claim",
    },
    "a stale claim is removed and made anew, as lock files are": {
      change: { claim: "remove if stale" },
      in: world(2, 3, faulty),
      breaks: "two brokers live in one epoch",
      onlyWhatComesOfIt: true,
    },
    "the directory is not listed again after the claim": {
      change: { listsAgain: false },
      in: world(3, 3, { ends: 2, forgotten: 1, lateListings: 1 }),
      breaks: "two brokers were started for one epoch",
    },
    "a claim has no limit": {
      change: { passesOverClaims: false },
      in: world(2, 3, faulty),
      breaks: "a contender waits for ever",
    },
    "a broker that does not answer is waited for": {
      change: { passesOverSilence: false },
      in: world(2, 3, faulty),
      breaks: "a contender waits for ever",
    },
    "a failed start is written up without a look at whose file it is": {
      change: { checksBeforeWriteUp: false },
      in: world(2, 2, { sleeps: 1, wipes: 1 }),
      breaks: "a claimant wrote over somebody else's file",
    },
    "a broker publishes without a look at its claim": {
      change: { checksBeforePublishing: false },
      in: world(2, 2, { sleeps: 1, wipes: 1 }),
      breaks: "a broker wrote over what was not its own claim",
    },
    "a broker ignores higher epochs": {
      change: { stepsDownForHigher: false, restoresCurrent: false },
      in: world(2, 2),
      breaks: "a superseded broker stays",
    },
    "a broker ignores that its file is another's": {
      change: { stepsDownForLostFile: false },
      in: world(2, 2, { sleeps: 1, wipes: 1 }),
      breaks: "a superseded broker stays",
    },
    "a broker that ends removes the newest file": {
      change: { removesAtEnd: "the newest file" },
      in: world(2, 3, faulty),
      breaks: "a broker removed what is its successor's",
    },
    "an obituary is written without proof": {
      change: { obituary: "any predecessor" },
      in: world(2, 2),
      breaks: "an obituary was written for a broker that lives",
    },
    "a claim is buried when its claimant is gone, though a broker may come of it": {
      change: { obituary: "abandoned claims too" },
      in: world(2, 3, faulty),
      breaks: "an obituary was written for a broker that lives",
    },
    "an obituary is written over the last word of who has just gone": {
      change: { readsAfterProof: false },
      in: world(2, 2, { sleeps: 1 }),
      breaks: "a last word was written over",
    },
    "predecessors that appear late are not watched": {
      change: { keepsWatching: false },
      in: world(2, 3, { sleeps: 2 }),
      breaks: "a stopped predecessor is never ended",
    },
    "a broker is signalled although it answers": {
      change: { signalsOnlySilent: false },
      in: world(2, 2),
      breaks: "a broker that answers was taken for a silent one",
    },
    "a pid is signalled without a check": {
      change: { signal: "by number" },
      in: world(2, 3, { ...faulty, reusedPids: 1 }),
      breaks: "a stranger was signalled",
    },
    "a pid is signalled after a check, without a handle": {
      change: { signal: "by number, after a check" },
      in: world(2, 3, { ...faulty, reusedPids: 1 }),
      breaks: "a stranger was signalled",
    },
    "a broker that is full is taken for a stranger (F118)": {
      change: { rejection: "for a refusal" },
      in: world(2, 2, { rejections: 1 }),
      breaks: "a broker was superseded without proof",
    },
    "a predecessor that is full is taken for a silent one (F118 F123)": {
      change: { rejection: "for silence" },
      in: world(2, 2, { rejections: 1 }),
      breaks: "a broker that answers was taken for a silent one",
    },
    "an error of one's own is taken for a refusal (F133)": {
      change: { ownError: "for a refusal" },
      in: world(2, 2, { ownErrors: 1 }),
      breaks: "a broker was superseded without proof",
    },
    "an error of one's own is taken for silence (F133)": {
      change: { ownError: "for silence" },
      in: world(2, 2, { ownErrors: 1 }),
      breaks: "a broker that answers was taken for a silent one",
    },
    "a broker of another host is superseded because its socket refuses (F126)": {
      change: { supersedesOtherHosts: true },
      in: { ...world(2, 2), hosts: [0, 1] },
      breaks: "a broker was superseded without proof",
    },
    "a broker of another host is signalled because its socket refuses (F126)": {
      change: { endsOtherHosts: true },
      in: { ...world(2, 2), hosts: [0, 1] },
      breaks: "a process was signalled that was not identified",
    },
    "those who disagree never pause (F124)": {
      change: { backsOff: false },
      in: { ...world(2, 4, { replacements: 1 }), disagree: true },
      breaks: "brokers replace each other without a pause",
    },
    "nobody mends the fixed path after a late predecessor has taken it along": {
      change: { restoresCurrent: false },
      in: world(2, 2, { crashes: 1 }),
      breaks: "the fixed path does not lead to the current broker",
    },
  };

  test(
    "a request for a new broker is repeated in every round (F124)",
    { timeout: TIMEOUT_MS },
    () => {
      const model = epochModel(world(2, 4, { rotations: 2 }), {
        ...PROTOCOL,
        asksOnce: false,
        clocks: false,
      });
      const counted: Model<State> = {
        ...model,
        breachOf: (state) =>
          state.newest > 3 ? "more brokers than were asked for" : model.breachOf(state),
      };
      const { breach } = run("a request for a new broker is repeated in every round", counted);
      expect(breach?.what).toBe("more brokers than were asked for");
    },
  );

  test.each(Object.entries(mutations))("S12: %s", { timeout: TIMEOUT_MS }, (what, mutation) => {
    const model = epochModel(mutation.in, { ...PROTOCOL, ...mutation.change });
    const steps: typeof model.steps = (state) =>
      model.steps(state).map((step) => ({ ...step, breach: undefined }));
    const watched = mutation.onlyWhatComesOfIt === true ? { ...model, steps } : model;
    expect(run(what, watched).breach?.what).toBe(mutation.breaks);
  });
});
