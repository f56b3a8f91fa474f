import { isRecord } from "../../src/wire/messages.ts";
import type { TurnRun } from "../../src/index.ts";
import type { World } from "../support/world.ts";
import type { History, Step } from "./history.ts";
import type { Asked, Ledger } from "./ledger.ts";
import { LibrarySession, refusalIn } from "./library-session.ts";
import type { Participant } from "./participant.ts";
import { objectionTo } from "./refusals.ts";
import type { Answer } from "./session.ts";
import type { Watcher } from "./watcher.ts";

const SETTLES_WITHIN_MS = 90_000;
const MOST_TICKS = 8;
const LONGEST_TICK_MS = 40;

interface StartedJob {
  readonly job: string;
  readonly threadId: string;
  readonly turnId: string;
}

interface Script {
  readonly prompt: string;
  readonly expected: string;
}

/** What participants do in one round. */
export class RoundWork {
  readonly jobs: StartedJob[] = [];
  readonly #history: History;
  readonly #ledger: Ledger;
  readonly #participants: readonly Participant[];
  readonly #threads: string[] = [];

  constructor(history: History, ledger: Ledger, participants: readonly Participant[]) {
    this.#history = history;
    this.#ledger = ledger;
    this.#participants = participants;
  }

  /** Makes the threads, each with a turn, because Codex saves a thread with its first one. */
  async prepare(world: World): Promise<void> {
    await using client = await world.connect();
    for (let number = 0; number < this.#history.threads; number += 1) {
      const { threadId, turnId } = await client.runTurn({ prompt: "say: ready" }).result;
      this.#ledger.ended(this.#ledger.turn(threadId, turnId));
      this.#threads.push(threadId);
    }
  }

  async carryOut(step: Step, participant: Participant): Promise<void> {
    const session = await participant.session();
    const threadId = this.#threads[step.thread] ?? "";
    const isLibrary = participant.kind === "library";
    switch (step.action) {
      case "start":
        return await this.#start(step, session);
      case "resume":
        return void (await this.#resume(session, threadId));
      case "unsubscribe":
        return void (await session.unsubscribe(threadId));
      case "turn":
        return await this.#turn(step, session, threadId);
      case "queued turn":
        return await this.#turn(step, session, threadId, { whenBusy: "queue" });
      case "approval":
        return await this.#turn(step, session, threadId, {}, approvalOf(step));
      case "run":
        return isLibrary
          ? await this.#run(step, session, threadId)
          : await this.#turn(step, session, threadId);
      case "join":
        return isLibrary
          ? await this.#join(session, threadId)
          : void (await this.#resume(session, threadId));
      case "steer":
        return await this.#steer(session, threadId);
      case "interrupt":
        return await this.#interrupt(session, threadId);
      case "job":
        return await this.#job(step, session, threadId);
      case "attach":
        return await this.#attach(session);
      case "cancel":
        return await this.#cancel(session);
      default:
        throw new Error(`no participant can ${step.action}`);
    }
  }

  async #start(step: Step, session: Watcher): Promise<void> {
    const answer = await session.start({});
    if (!answer.ok) return this.#judge("thread/start", answer, session, undefined);
    const thread = answer.result["thread"];
    if (isRecord(thread)) this.#threads[step.thread] = String(thread["id"]);
  }

  /** Returns whether the session is subscribed. */
  async #resume(session: Watcher, threadId: string): Promise<boolean> {
    const busy = this.#ledger.watches(threadId);
    const params = { threadId, excludeTurns: true };
    const answer = await session.open(threadId, "thread/resume", params);
    this.#judge("thread/resume", answer, session, { threadId, busy });
    return answer.ok;
  }

  async #turn(
    step: Step,
    session: Watcher,
    threadId: string,
    broker: { readonly whenBusy?: "queue" } = {},
    script = this.#scriptOf(step),
  ): Promise<void> {
    const isSubscribed = (session.subscriptionTo(threadId)?.openedAt ?? Infinity) < Infinity;
    if (!isSubscribed && !(await this.#resume(session, threadId))) return;
    const answered = session.startsTurnOn(threadId);
    const asked = this.#ledger.asks(threadId);
    const params = { threadId, input: inputOf(script.prompt), broker };
    const answer = await session.ask("turn/start", params, (received) => {
      answered();
      const turn = received.ok ? received.result["turn"] : undefined;
      // What a session that has gone had asked for may begin all the same.
      if (!isRecord(turn)) return session.isLeft ? undefined : asked.done();
      this.#accepted(session, threadId, String(turn["id"]), script, asked);
    });
    this.#judge("turn/start", answer, session, { threadId, busy: asked, ...broker });
  }

  #accepted(session: Watcher, threadId: string, turnId: string, script: Script, asked: Asked) {
    const facts = this.#ledger.turn(threadId, turnId);
    if (facts.expected !== undefined) {
      // Codex adds to a turn that runs. The broker allows that to a proxy whose turn it is, or nobody's.
      const isAllowed = facts.owner === session || facts.owner?.isLeft === true;
      if (session.session.kind !== "proxy" || !isAllowed) {
        this.#ledger.violation(
          `${session.name} has added to a turn of ${facts.owner?.name ?? "a job"}`,
        );
      }
      facts.altered = true;
    }
    facts.expected = script.expected;
    facts.owner = session;
    asked.began(turnId);
    session.subscriptionTo(threadId)?.owes(turnId, true);
    if (this.#ledger.rotations + this.#ledger.outages > 0) return;
    for (const { watchers } of this.#participants) {
      for (const each of watchers) each.hasFollowed(threadId, asked.from)?.owes(turnId);
    }
  }

  async #run(step: Step, session: Watcher, slot: string): Promise<void> {
    if (!(session.session instanceof LibrarySession)) return;
    const { client } = session.session;
    const script = this.#scriptOf(step);
    const threadId = step.length < 0.3 ? undefined : slot;
    const asked = threadId === undefined ? undefined : this.#ledger.asks(threadId);
    const whenBusy = step.length < 0.6 ? "queue" : "refuse";
    const run = client.runTurn({
      prompt: script.prompt,
      whenBusy,
      ...(threadId === undefined ? {} : { threadId }),
    });
    const answer = await session.implicitly(threadId, () =>
      this.#resultOf(session, run, "runTurn"),
    );
    const { turnId } = run;
    if (!session.isLeft) asked?.done();
    const altered = turnId !== undefined && this.#ledger.turn(slot, turnId).altered;
    if (!answer.ok) {
      const busy = asked === undefined ? {} : { busy: asked };
      return this.#judge("runTurn", answer, session, { threadId: slot, whenBusy, ...busy });
    }
    const { status, message } = answer.result;
    const isRight = status === "completed" && String(message).trim() === script.expected;
    if (isRight || altered || session.isLeft || this.#ledger.outages > 0) return;
    const what = JSON.stringify({ status, message, expected: script.expected });
    this.#ledger.violation(`${session.name}: runTurn on ${String(run.threadId)} ends with ${what}`);
  }

  async #join(session: Watcher, threadId: string): Promise<void> {
    if (!(session.session instanceof LibrarySession)) return;
    const run = session.session.client.joinTurn({ threadId });
    const busy = this.#ledger.watches(threadId);
    const answer = await session.implicitly(threadId, () =>
      this.#resultOf(session, run, "joinTurn"),
    );
    this.#judge("joinTurn", answer, session, { threadId, busy });
  }

  /** Settles with the result of a turn, as an answer. */
  async #resultOf(session: Watcher, run: TurnRun, what: string): Promise<Answer> {
    this.#ledger.note(`${session.name} asks ${what}`);
    const late = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), SETTLES_WITHIN_MS).unref();
    });
    const settled = run.result.then(
      (result): Answer => ({ ok: true, result: { ...result } }),
      (error: unknown) => refusalIn(error),
    );
    const answer = await Promise.race([settled, late]);
    const where = `of ${String(run.threadId)}, turn ${String(run.turnId)}`;
    if (answer === undefined) {
      this.#ledger.violation(`${session.name}: ${what} ${where} does not settle`);
      return { ok: false, kind: "unanswered", message: what };
    }
    const said = answer.ok ? String(answer.result["status"]) : `${answer.kind}: ${answer.message}`;
    this.#ledger.note(`${session.name} gets ${said} for ${what} ${where}`);
    return answer;
  }

  async #steer(session: Watcher, threadId: string): Promise<void> {
    const turn = this.#ledger.runningOn(threadId);
    if (turn === undefined) return;
    turn.altered = true;
    const params = { threadId, expectedTurnId: turn.turnId, input: inputOf("say: more") };
    const answer = await session.ask("turn/steer", params);
    this.#judge("turn/steer", answer, session, { threadId });
  }

  async #interrupt(session: Watcher, threadId: string): Promise<void> {
    const turn = this.#ledger.runningOn(threadId);
    if (turn === undefined) return;
    turn.altered = true;
    const answer = await session.ask("turn/interrupt", { threadId, turnId: turn.turnId });
    this.#judge("turn/interrupt", answer, session, { threadId });
  }

  async #job(step: Step, session: Watcher, slot: string): Promise<void> {
    const script = this.#scriptOf(step);
    const threadId = step.length < 0.4 ? null : slot;
    const asked = threadId === null ? undefined : this.#ledger.asks(threadId);
    const params = { prompt: script.prompt, threadId };
    const answer = await session.ask("broker/job/start", params, (received) => {
      if (!received.ok) return session.isLeft ? undefined : asked?.done();
      const { job, threadId: thread, turnId } = received.result as unknown as StartedJob;
      this.jobs.push({ job, threadId: thread, turnId });
      const facts = this.#ledger.turn(thread, turnId);
      asked?.began(turnId);
      facts.expected = script.expected;
    });
    const busy = asked === undefined ? {} : { busy: asked };
    this.#judge("broker/job/start", answer, session, { threadId: slot, ...busy });
  }

  async #attach(session: Watcher): Promise<void> {
    const started = this.jobs.at(-1);
    if (started === undefined) return;
    const { job, threadId } = started;
    const answer = await session.open(threadId, "broker/job/attach", { job });
    this.#judge("broker/job/attach", answer, session, { threadId });
  }

  async #cancel(session: Watcher): Promise<void> {
    const started = this.jobs.at(-1);
    if (started === undefined) return;
    const { job, threadId, turnId } = started;
    this.#ledger.turn(threadId, turnId).altered = true;
    const answer = await session.ask("broker/job/cancel", { job });
    this.#judge("broker/job/cancel", answer, session, { threadId });
  }

  #judge(
    method: string,
    answer: Answer,
    session: Watcher,
    about: Omit<Parameters<typeof objectionTo>[2], "session"> | undefined,
  ): void {
    if (answer.ok) return;
    const objection = objectionTo(method, answer, { session, ...about }, this.#ledger);
    if (objection === undefined) return;
    const { kind, message } = answer;
    this.#ledger.violation(
      `${session.name}: ${method} is refused (${objection}): ${kind}: ${message}`,
    );
  }

  #scriptOf({ number, length }: Step): Script {
    const ticks = 1 + Math.floor(length * MOST_TICKS);
    const word = `r${this.#history.seed}s${number}`;
    const expected = Array.from({ length: ticks }, (_none, index) => `${word} ${index + 1}`);
    const pauseMs = Math.ceil(((number % 5) / 5) * LONGEST_TICK_MS) + 1;
    return { prompt: `slow: ${ticks}x${pauseMs}ms ${word}`, expected: expected.join(" ") };
  }
}

function approvalOf({ number }: Step): Script {
  return {
    prompt: `shell-ask: echo s${number} ;; say: done s${number}`,
    expected: `done s${number}`,
  };
}

function inputOf(text: string): object[] {
  return [{ type: "text", text, text_elements: [] }];
}
