import { Deadline, pause } from "../../src/base/deadline.ts";
import type { BrokerClient } from "../../src/index.ts";
import { isRecord } from "../../src/wire/messages.ts";
import { RawSession } from "../broker/raw-session.ts";
import { eventually } from "../support/eventually.ts";
import { makeWorld, type World } from "../support/world.ts";
import { takeFigures, type Sample } from "./sample.ts";

/** What is left over a moment after the last turn is left for good. */
const SETTLED_WITHIN_MS = 30_000;
const TURN_WITHIN_MS = 120_000;
const SESSIONS_AT_ONCE = 4;

export interface SoakOptions {
  readonly turns: number;
  readonly sessions: number;
  readonly jobs: number;
  readonly rotations: number;
  readonly samples: number;
  readonly onSample: (sample: Sample) => void;
}

export interface Soaked {
  /** Those of the last epoch, in which the larger part of the work is done. */
  readonly steady: readonly Sample[];
  readonly violations: readonly string[];
}

/** Carries out all the work, and looks at what everything uses in between. */
export async function soak(options: SoakOptions): Promise<Soaked> {
  await using world = await makeWorld();
  return await new Soak(options, world).run();
}

/** The share of the work during which brokers are replaced, and of the rest that warms up. */
const ROTATING = 0.4;
const WARM_UP = 0.1;

class Soak {
  readonly #options: SoakOptions;
  readonly #world: World;
  readonly #violations: string[] = [];
  readonly #done = { turns: 0, sessions: 0, jobs: 0 };
  readonly #jobs = new Set<string>();

  constructor(options: SoakOptions, world: World) {
    this.#options = options;
    this.#world = world;
  }

  async run(): Promise<Soaked> {
    // A program that stays for the whole run, and whose books must not grow either.
    await using resident = await this.#world.connect();
    const { sessions, samples, rotations } = this.#options;
    const taken: Sample[] = [];
    let rotated = 0;
    for (let part = 0; part < samples; part += 1) {
      const progress = part / samples;
      while (rotated < rotations && progress >= (ROTATING * rotated) / rotations) {
        rotated += 1;
        (await this.#world.connect({ replace: true })).close();
      }
      const upTo = Math.round((sessions * (part + 1)) / samples);
      const workers = Array.from({ length: SESSIONS_AT_ONCE }, () => this.#work(upTo, resident));
      await Promise.all(workers);
      taken.push(await this.#sample(resident));
    }
    const steadyFrom = ROTATING + (1 - ROTATING) * WARM_UP;
    const steady = taken.filter((_each, index) => index / samples >= steadyFrom);
    return { steady, violations: this.#violations };
  }

  /** Opens one session after the other until so many have been opened. */
  async #work(upTo: number, resident: BrokerClient): Promise<void> {
    const { turns, sessions, jobs } = this.#options;
    while (this.#done.sessions < upTo) {
      const number = (this.#done.sessions += 1);
      const turnsDue =
        Math.round((turns * number) / sessions) - Math.round((turns * (number - 1)) / sessions);
      const jobDue =
        Math.round((jobs * number) / sessions) > Math.round((jobs * (number - 1)) / sessions);
      try {
        if (number % 2 === 0) await this.#library(turnsDue);
        else await this.#raw(turnsDue, resident);
        if (jobDue) await this.#job(resident, number);
      } catch (error) {
        this.#violations.push(`session ${number}: ${String(error)}`);
      }
    }
  }

  async #library(turns: number): Promise<void> {
    await using client = await this.#world.connect();
    let threadId: string | undefined;
    for (let turn = 0; turn < turns; turn += 1) {
      // Every other turn goes on with the thread before it.
      const goesOn = threadId !== undefined && turn % 2 === 1;
      threadId = await this.#turn(client, goesOn ? threadId : undefined);
    }
  }

  async #turn(client: BrokerClient, threadId?: string): Promise<string> {
    const number = (this.#done.turns += 1);
    const { message, threadId: thread } = await client.runTurn({
      prompt: `say: turn ${number}`,
      timeoutMs: TURN_WITHIN_MS,
      ...(threadId === undefined ? {} : { threadId }),
    }).result;
    const said = message.trim();
    if (said !== `turn ${number}`) this.#violations.push(`turn ${number} said ${said}`);
    return thread;
  }

  /** Half of its turns, by a plain client; the rest by the resident one. */
  async #raw(turns: number, resident: BrokerClient): Promise<void> {
    const own = Math.ceil(turns / 2);
    const session = await RawSession.initialized(resident.record.current ?? "");
    try {
      const { result, error } = await session.ask("thread/start", {});
      if (error !== undefined) throw new Error(error.message);
      const thread = result?.["thread"];
      const threadId = isRecord(thread) ? String(thread["id"]) : "";
      for (let turn = 0; turn < own; turn += 1) {
        const text = `say: turn ${(this.#done.turns += 1)}`;
        const input = [{ type: "text", text, text_elements: [] }];
        const answer = await session.ask("turn/start", { threadId, input });
        if (answer.error !== undefined) throw new Error(answer.error.message);
        const started = answer.result?.["turn"];
        const turnId = isRecord(started) ? started["id"] : undefined;
        await session.next(({ method, params }) => {
          const ended = params?.["turn"];
          return method === "turn/completed" && isRecord(ended) && ended["id"] === turnId;
        });
      }
    } finally {
      await session[Symbol.asyncDispose]();
    }
    for (let turn = own; turn < turns; turn += 1) {
      const threadId = await this.#turn(resident);
      // The library keeps a thread that a turn has opened until its client closes (F140).
      await resident.request("thread/unsubscribe", { threadId });
    }
  }

  async #job(client: BrokerClient, number: number): Promise<void> {
    const { job } = await client.request("broker/job/start", { prompt: `say: job ${number}` });
    this.#done.jobs += 1;
    this.#jobs.add(job);
  }

  /** Waits until nothing is left of the work, and takes the figures then. */
  async #sample(client: BrokerClient): Promise<Sample> {
    const busy = async (): Promise<string> => {
      const { turns, jobs, sessions, threads } = await client.status();
      return JSON.stringify({
        turns: turns.length,
        jobs: jobs.length,
        sessions: sessions.length,
        threads,
      });
    };
    const idle = JSON.stringify({ turns: 0, jobs: 0, sessions: 1, threads: 0 });
    let last = "";
    await eventually(
      async () => (last = await busy()) === idle,
      "nothing is left of the work",
      SETTLED_WITHIN_MS,
    ).catch(() => this.#violations.push(`after ${this.#done.turns} turns is left: ${last}`));
    const deadline = Deadline.after(SETTLED_WITHIN_MS);
    // Codex ends its helpers a moment after the last session of a thread has gone.
    while (!deadline.expired && (await this.#loaded(client)) > 0) await pause(50);
    const status = await client.status();
    const figures = takeFigures(status, this.#world.stateDir);
    const sample = { ...this.#done, epoch: status.epoch, figures };
    this.#options.onSample(sample);
    return sample;
  }

  async #loaded(client: BrokerClient): Promise<number> {
    const { data } = await client.request("thread/loaded/list", {});
    return data.length;
  }
}
