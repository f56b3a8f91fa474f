import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { groundLost } from "../../src/broker/ground.ts";
import {
  claimEpoch,
  epochPath,
  holdsEpoch,
  listEpochs,
  newestEpoch,
  publishEpoch,
  readEpoch,
  type ClaimedRecord,
  type EpochReading,
  type EpochRecord,
  type ServingRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { Retirement } from "../../src/lifecycle/retire.ts";
import { identityOf, livenessOf, type ProcessIdentity } from "../../src/os/process-identity.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { makeTempDir } from "../support/temp-dir.ts";

guardAgainstLeaks();

/** Rounds until an actor gives up, as a caller does whose time is over. */
const MOST_LOOKS = 6;
/** Longer than the current broker bears the silence of a predecessor. */
const LONG_MS = 60_000;
const MOST_EXTENSIONS = 50;
const REAL_PAUSE_MS = 20;
/** The tests use simulated timers. */
const realSetTimeout = setTimeout;
/** In real time, for what takes milliseconds. */
const PATIENCE_MS = 10_000;
/** How often a broker looks at its ground while the others act; afterwards it does so once more. */
const MOST_GROUND_LOOKS = 20;

/** What becomes of an actor, and after how many of its steps. */
interface Fate {
  readonly kind: "lives" | "dies" | "stops" | "stops and wakes up late";
  readonly after: number;
}

const fate: fc.Arbitrary<Fate> = fc.record({
  kind: fc.constantFrom("lives", "dies", "stops", "stops and wakes up late"),
  after: fc.integer({ min: 1, max: 8 }),
});

/** A process that is named in epoch files, and does nothing. */
class Body {
  readonly identity: ProcessIdentity;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.identity = identityOf(child.pid!);
  }

  static async make(): Promise<Body> {
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    await once(child, "spawn");
    return new Body(child);
  }

  get alive(): boolean {
    return livenessOf(this.identity) !== "gone";
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

type Outcome = "connected" | "error" | "dead" | "stopped";

/** One broker, as far as epoch files know of it. */
interface Broker {
  readonly actor: Actor;
  readonly record: ServingRecord;
  state: "serving" | "silent" | "ended";
}

/** Everything that the actors of one run share. */
class World {
  readonly dir: string;
  readonly scheduler: fc.Scheduler;
  readonly brokers: Broker[] = [];
  /** Claims that were won, in order. */
  readonly claims: ClaimedRecord[] = [];
  readonly #files = new Map<number, string>();
  readonly #failures: unknown[] = [];

  constructor(dir: string, scheduler: fc.Scheduler) {
    this.dir = dir;
    this.scheduler = scheduler;
  }

  get newest(): number {
    return listEpochs(this.dir)[0] ?? 0;
  }

  /** What an actor stumbled over, for the run as a whole to fail of. */
  note(failure: unknown): void {
    this.#failures.push(failure);
  }

  throwIfFailed(): void {
    if (this.#failures.length > 0) throw this.#failures[0];
  }

  /** What has changed on disk must be the work of who had its turn, and lawful. */
  judgeFiles(writer: Actor | "a successor"): void {
    for (const epoch of listEpochs(this.dir)) {
      const before = this.#files.get(epoch);
      const after = readFileSync(epochPath(this.dir, epoch), "utf8");
      if (before === after) continue;
      this.#files.set(epoch, after);
      const was = before === undefined ? undefined : recordOf(readEpochText(epoch, before));
      const is = recordOf(readEpoch(this.dir, epoch));
      if (is === undefined) throw new Error(`epoch ${epoch} became unreadable`);
      judgeChange(was, is, writer);
    }
  }
}

function judgeChange(
  was: EpochRecord | undefined,
  is: EpochRecord,
  by: Actor | "a successor",
): void {
  if (was !== undefined) expect(is.token, "a file never changes hands").toBe(was.token);
  expect(was?.state, "an obituary is the end").not.toBe("ended");
  if (by !== "a successor") {
    expect(is.claimant, "an actor writes only its own file").toEqual(by.body.identity);
    return;
  }
  expect(is.state, "a successor writes nothing but an obituary").toBe("ended");
  expect(was?.state, "of a broker, not of a claim").toBe("serving");
  if (was?.state === "serving") expect(isGoneSoon(was.broker)).toBe(true);
}

/** A signal that has been sent takes a moment to arrive. */
function isGoneSoon(identity: ProcessIdentity): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < 2_000 && livenessOf(identity) !== "gone"; waited += 1) {
    Atomics.wait(cell, 0, 0, 1);
  }
  return livenessOf(identity) === "gone";
}

function recordOf(reading: EpochReading | undefined): EpochRecord | undefined {
  return reading?.state === "read" ? reading.record : undefined;
}

function readEpochText(epoch: number, text: string): EpochReading {
  return { state: "read", epoch, record: JSON.parse(text) as EpochRecord };
}

/** Thrown in the middle of an actor that has just died. */
class Died extends Error {}

/** A contender and the broker that it may become: look, claim, publish, and stand one's ground. */
class Actor {
  readonly body: Body;
  readonly #world: World;
  readonly #fate: Fate;
  readonly #late: Promise<void>;
  #steps = 0;
  silent = false;
  outcome: Outcome | undefined;

  /** @param late resolves when those who wake up late do so. */
  constructor(world: World, body: Body, fate: Fate, late: Promise<void>) {
    this.#world = world;
    this.body = body;
    this.#fate = fate;
    this.#late = late;
  }

  async run(): Promise<void> {
    try {
      this.outcome = await this.#ensure();
    } catch (error) {
      if (!(error instanceof Died)) this.#world.note(error);
      this.outcome = "dead";
    }
  }

  /** Everybody else may do something first, and this actor may meet its fate. */
  async #turn(label: string): Promise<void> {
    await this.#world.scheduler.schedule(Promise.resolve(), label);
    this.#steps += 1;
    if (this.#steps !== this.#fate.after) return;
    if (this.#fate.kind === "dies") {
      await this.body.end();
      throw new Died();
    }
    if (this.#fate.kind === "lives") return;
    this.silent = true;
    this.outcome = "stopped";
    if (this.#fate.kind === "stops") await new Promise(() => {});
    await this.#late;
    this.outcome = undefined;
    // Who was ended while it stood still does not wake up.
    if (!this.body.alive) throw new Died();
  }

  async #ensure(): Promise<Outcome> {
    const world = this.#world;
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      await this.#turn("look");
      const reading = newestEpoch(world.dir);
      const record = recordOf(reading);
      if (record?.state === "serving" && this.#isAnswered(record)) return "connected";
      await this.#turn("claim");
      const claim = this.#claim(reading?.epoch ?? 0);
      if (claim === undefined) continue;
      await this.#turn("start a broker");
      if (!(await this.#serve(claim))) return "error";
    }
    return "error";
  }

  #isAnswered({ instance }: ServingRecord): boolean {
    const broker = this.#world.brokers.find(({ record }) => record.instance === instance);
    return broker?.state === "serving" && !broker.actor.silent && broker.actor.body.alive;
  }

  /** With the identity of the body in it, as if that process had called. */
  #claim(newest: number): ClaimedRecord | undefined {
    const world = this.#world;
    const claimed = claimEpoch(world.dir, newest);
    if (claimed === undefined) return undefined;
    const claim = { ...claimed, claimant: this.body.identity };
    publishEpoch(world.dir, claim);
    expect(world.newest, "the winner is the highest").toBe(claim.epoch);
    world.claims.push(claim);
    world.judgeFiles(this);
    return claim;
  }

  /** What a broker does at its start; then it stands its ground beside the contender. */
  async #serve(claim: ClaimedRecord): Promise<boolean> {
    const { dir, brokers } = this.#world;
    if (!holdsEpoch(dir, claim.epoch, claim.token)) return false;
    const record = servingRecord(claim, dir);
    await this.#turn("publish");
    publishEpoch(dir, record);
    this.#world.judgeFiles(this);
    const broker: Broker = { actor: this, record, state: this.silent ? "silent" : "serving" };
    brokers.push(broker);
    if (!this.silent) this.#standGround(broker).catch((error: unknown) => this.#world.note(error));
    return true;
  }

  async #standGround(broker: Broker): Promise<void> {
    for (let looks = 0; looks < MOST_GROUND_LOOKS && broker.state === "serving"; looks += 1) {
      await this.#world.scheduler.schedule(Promise.resolve(), "look at the ground");
      if (this.silent || !this.body.alive) return;
      this.stepDownIfLost(broker);
    }
  }

  stepDownIfLost(broker: Broker): void {
    if (broker.state !== "serving") return;
    const { dir } = this.#world;
    const { epoch, token } = broker.record;
    const lost = groundLost({ scopeDir: dir, epoch, token, socket: null });
    if (lost === undefined) return;
    broker.state = "ended";
    if (!holdsEpoch(dir, epoch, token)) return;
    publishEpoch(dir, { ...broker.record, state: "ended", ...obituary(lost.reason) });
    this.#world.judgeFiles(this);
  }
}

function obituary(reason: string): {
  reason: string;
  at: string;
  abnormal: boolean;
  exit: null;
  error: null;
  stderrTail: string;
} {
  const at = new Date().toISOString();
  return { reason, at, abnormal: false, exit: null, error: null, stderrTail: "" };
}

function servingRecord(claim: ClaimedRecord, dir: string): ServingRecord {
  const instance = randomBytes(16).toString("hex");
  return {
    ...claim,
    state: "serving",
    instance,
    broker: claim.claimant,
    appServer: null,
    endpoint: join(dir, `none.${claim.epoch}.${instance.slice(0, 6)}.sock`),
    current: null,
    startedAt: claim.claimedAt,
    workspace: dir,
    codex: "codex",
    fingerprint: "none",
    codexHome: dir,
    settings: { config: "none", trust: "", login: "none" },
    versions: { broker: "0", build: "0", node: "0" },
  };
}

/** Time for timers and for monotonic clocks passes only when told. */
let passedMs = 0;

beforeEach(() => {
  passedMs = 0;
  const realTime = process.hrtime.bind(process);
  vi.spyOn(process, "hrtime").mockImplementation(() => {
    const [seconds, nanoseconds] = realTime();
    return [seconds, nanoseconds + passedMs * 1e6];
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function letTimePass(ms: number, afterEachSecond: () => void): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    passedMs += 1_000;
    vi.advanceTimersByTime(1_000);
    // A connection to a socket that is not there fails after a few turns of the event loop.
    for (let turn = 0; turn < 4; turn += 1) await eventLoop();
    afterEachSecond();
  }
}

/** Only Linux can tell processes apart by now, so only there anybody is proven gone. */
describe.skipIf(process.platform !== "linux")("the code's own steps, in any order", () => {
  test(
    "F01 F10 S5 S12: one broker an epoch, only the highest stays, and nobody writes or signals what is not his",
    { timeout: 120_000 },
    async () => {
      const seen = { claims: 0, kills: 0, obituaries: 0 };
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(fate, { minLength: 2, maxLength: 4 }),
          async (scheduler, fates) => {
            await using dir = await makeTempDir();
            // The successor reads the records of all scopes beside its own.
            const scopeDir = join(dir.path, "scope");
            mkdirSync(scopeDir);
            const bodies = await Promise.all(fates.map(() => Body.make()));
            try {
              const world = new World(scopeDir, scheduler);
              const { claims, kills, obituaries } = await elect(world, bodies, fates);
              seen.claims += claims;
              seen.kills += kills;
              seen.obituaries += obituaries;
            } finally {
              await Promise.all(bodies.map((body) => body.end()));
            }
          },
        ),
        { numRuns: 100 },
      );
      console.log(
        `${seen.claims} claims, ${seen.kills} stopped brokers ended, ${seen.obituaries} obituaries by successors`,
      );
      // Otherwise the runs did not reach what they are for.
      expect(Math.min(seen.claims, seen.kills, seen.obituaries)).toBeGreaterThan(0);
    },
  );
});

interface Tally {
  readonly claims: number;
  readonly kills: number;
  readonly obituaries: number;
}

async function elect(
  world: World,
  bodies: readonly Body[],
  fates: readonly Fate[],
): Promise<Tally> {
  let wakeUp = (): void => {};
  const late = new Promise<void>((resolve) => (wakeUp = resolve));
  const actors = bodies.map((body, place) => new Actor(world, body, fates[place]!, late));
  for (const actor of actors) void actor.run();
  const done = (): boolean => actors.every(({ outcome }) => outcome !== undefined);
  await runUntil(world.scheduler, done);
  settle(world);
  world.throwIfFailed();
  expectOneEpochABroker(world);

  const current = world.brokers.find(({ state }) => state === "serving");
  const retirement =
    current === undefined ? undefined : new Retirement(world.dir, current.record.epoch);
  try {
    const judge = (): void => world.judgeFiles("a successor");
    // By now the retirement has seen all there is. Those who come late come after that.
    await letTimePass(2_000, judge);
    wakeUp();
    await eventLoop();
    await runUntil(world.scheduler, done);
    settle(world);
    if (current !== undefined && current.state !== "serving") retirement?.close();
    await letTimePass(LONG_MS, judge);
    // Processes die and files are read in real time, of which hardly any has passed.
    for (let more = 0; more < MOST_EXTENSIONS && leftBehind(world, current).length > 0; more += 1) {
      await new Promise((resolve) => realSetTimeout(resolve, REAL_PAUSE_MS));
      await letTimePass(LONG_MS / 10, judge);
    }
  } finally {
    retirement?.close();
  }
  world.throwIfFailed();
  const kills = judgeEnd(world, actors, fates, current);
  const obituaries = listEpochs(world.dir).filter((epoch) => {
    const record = recordOf(readEpoch(world.dir, epoch));
    return record?.state === "ended" && record.abnormal;
  }).length;
  return { claims: world.claims.length, kills, obituaries };
}

async function runUntil(scheduler: fc.Scheduler, done: () => boolean): Promise<void> {
  const givesUpAt = Date.now() + PATIENCE_MS;
  while (!done()) {
    if (Date.now() > givesUpAt) throw new Error("an actor neither finishes nor goes on");
    // Between two steps an actor may wait for a process to end.
    if (scheduler.count() === 0) await eventLoop();
    else await scheduler.waitNext(1);
  }
}

function eventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Every living broker looks at its ground once more. */
function settle(world: World): void {
  for (const broker of world.brokers) {
    if (broker.state !== "serving") continue;
    if (broker.actor.silent) broker.state = "silent";
    else if (!broker.actor.body.alive) broker.state = "ended";
    else broker.actor.stepDownIfLost(broker);
  }
}

function expectOneEpochABroker({ claims, brokers }: World): void {
  const epochs = claims.map(({ epoch }) => epoch);
  expect(new Set(epochs).size, "no epoch was won twice").toBe(epochs.length);
  const instances = brokers.map(({ record }) => record.epoch);
  expect(new Set(instances).size, "no epoch had two brokers").toBe(instances.length);
}

/** @returns how many bodies were ended by a successor. */
function judgeEnd(
  world: World,
  actors: readonly Actor[],
  fates: readonly Fate[],
  current: Broker | undefined,
): number {
  expectOneEpochABroker(world);
  const serving = world.brokers.filter(({ state }) => state === "serving");
  expect(serving.length, "only one stays").toBeLessThanOrEqual(1);
  if (serving[0] !== undefined) {
    expect(serving[0].record.epoch, "and it is the highest").toBe(world.newest);
  }
  let kills = 0;
  for (const [place, actor] of actors.entries()) {
    const { kind } = fates[place]!;
    expect(actor.outcome, "everyone ends connected, with an error, or not at all").toBeDefined();
    if (kind === "dies" || actor.body.alive) continue;
    kills += 1;
    expect(kind, "only who was stopped is ended").toMatch(/^stops/);
    const older = world.brokers.filter(
      ({ actor: each, record }) => each === actor && record.epoch < (current?.record.epoch ?? 0),
    );
    expect(older, "and only as a predecessor").not.toEqual([]);
  }
  expect(leftBehind(world, current), "whoever is named in an older file is gone").toEqual([]);
  return kills;
}

/** Older epochs that the current broker should have seen the end of. */
function leftBehind({ dir }: World, current: Broker | undefined): number[] {
  if (current?.state !== "serving") return [];
  const older = listEpochs(dir).filter((epoch) => epoch < current.record.epoch);
  return older.filter((epoch) => recordOf(readEpoch(dir, epoch))?.state === "serving");
}
