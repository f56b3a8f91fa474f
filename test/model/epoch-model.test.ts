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
    "nobody mends the fixed path after a late predecessor has taken it along": {
      change: { restoresCurrent: false },
      in: world(2, 2, { crashes: 1 }),
      breaks: "the fixed path does not lead to the current broker",
    },
  };

  test.each(Object.entries(mutations))("S12: %s", { timeout: TIMEOUT_MS }, (what, mutation) => {
    const model = epochModel(mutation.in, { ...PROTOCOL, ...mutation.change });
    const steps: typeof model.steps = (state) =>
      model.steps(state).map((step) => ({ ...step, breach: undefined }));
    const watched = mutation.onlyWhatComesOfIt === true ? { ...model, steps } : model;
    expect(run(what, watched).breach?.what).toBe(mutation.breaks);
  });
});
