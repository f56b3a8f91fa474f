import path from "node:path";
import type { v2 } from "../../app-server/generated/index.ts";
import { asBrokerError, BrokerError, messageOf } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { trace } from "../../base/trace.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type Frame,
  type NotificationFrame,
  type RequestFrame,
} from "../../wire/frame.ts";
import type { Draining, TurnLost } from "../../wire/broker-protocol.ts";
import type { Streams } from "../../wire/line-channel.ts";
import { errorLine, isRecord, resultLine, rpcErrorOf } from "../../wire/messages.ts";
import { latestTurns } from "../history.ts";
import { openHealthy } from "../open.ts";
import { QueuedElsewhere, queueWishIn } from "../queued-elsewhere.ts";
import { ThreadBook, threadIn } from "../thread-book.ts";
import { BrokerSession } from "./broker-session.ts";
import { isRefusal, refusedForDraining } from "./frame-facts.ts";
import { GREETINGS, NEED_CWD, TURN_STARTERS } from "../../wire/method-kinds.ts";
import { endOfLostTurn } from "./lost-turn.ts";
import { ProxiedQuestions } from "./questions.ts";
import { ProxiedRequests } from "./requests.ts";
import { StdioProgram } from "./stdio-program.ts";

const DEFAULT_START_TIMEOUT_MS = 60_000;
/** For a successor to start and to read the history of a long thread. */
const HISTORY_LIMIT_MS = 60_000;

export interface ProxyOptions {
  readonly scope: Scope;
  /** Options of `codex app-server`, for a private scope. */
  readonly appServerArguments?: readonly string[];
  /** Where an app-server of the program's own would run. */
  readonly cwd: string;
  readonly limits?: Partial<BrokerLimits>;
  readonly startTimeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * A `codex app-server` for one program, with the shared broker behind it. Lines pass both ways as
 * they came. When the broker is replaced or lost, the proxy goes on with its successor: new work and
 * idle threads move there at once, turns that run finish where they are, and whatever cannot be taken
 * along gets the end that Codex itself would give it.
 */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #program: StdioProgram;
  readonly #sessions = new Set<BrokerSession>();
  readonly #threads = new ThreadBook<BrokerSession>({
    onLost: (threadId, why) => this.#tellOfLostThread(threadId, messageOf(why)),
  });
  readonly #queued = new QueuedElsewhere();
  readonly #questions = new ProxiedQuestions();
  readonly #requests = new ProxiedRequests();
  readonly #closing = new AbortController();
  readonly #ended = deferred<void>();
  #current: BrokerSession | undefined;
  #moving: Promise<void> | undefined;
  #failure: BrokerError | undefined;

  constructor(streams: Streams, options: ProxyOptions) {
    this.#options = options;
    this.#program = new StdioProgram(streams, {
      onFrame: (frame) => this.#receive(frame),
      onEnd: () => this.#end(),
      onClosed: () => {
        if (this.#failure === undefined) this.#ended.resolve();
        else this.#ended.reject(this.#failure);
      },
      onGivenUp: (why) => this.#fail(why),
    });
  }

  /**
   * Resolves when the program has ended its input, or reads no more, and has got all that was queued
   * for it.
   *
   * @throws BrokerError why there is no broker to go on with.
   */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  #receive(frame: Frame): void {
    switch (frame.kind) {
      case "request":
        return this.#request(frame);
      case "notification":
        // The handshake is this side's own business, and done anew with each broker.
        if (frame.method !== "initialized") this.#notify(frame);
        return;
      case "answer":
        return this.#questions.answer(frame);
    }
  }

  #request(frame: RequestFrame): void {
    if (frame.method !== "initialize") {
      if (this.#program.introduction !== undefined) return void this.#route(frame);
      return this.#program.refuse(frame.id, new BrokerError("notInitialized", "Not initialized"));
    }
    if (this.#program.introduction !== undefined) {
      return this.#program.refuse(
        frame.id,
        new BrokerError("invalidRequest", "Already initialized"),
      );
    }
    this.#program.introduce(frame);
    this.#move();
  }

  /** Sends the request where it belongs, once that is known. */
  async #route(request: RequestFrame): Promise<void> {
    const frame = this.#inDirectory(request);
    for (let gate = this.#gate(frame); gate !== undefined; gate = this.#gate(frame)) await gate;
    const named = this.#requests.toBroker(frame);
    // Codex's own answer where there is nothing to cancel.
    if (named === "nothing") return this.#program.send(resultLine(frame.id, {}));
    const target = named?.session ?? this.#targetOf(frame);
    if (target === undefined) return;
    const ready = named?.frame ?? frame;
    // Without a pause where none is needed: what comes next must not overtake it.
    const brought = this.#isBrought(ready, target) ? ready : await this.#brought(ready, target);
    if (brought !== undefined) this.#forward(brought, target);
  }

  #isBrought({ method, params }: RequestFrame, at: BrokerSession): boolean {
    return !TURN_STARTERS.has(method) || this.#threads.isAt(threadIn(params) ?? "", at);
  }

  /** With its thread at that broker, where it can be; a request for a thread that cannot is refused. */
  async #brought(frame: RequestFrame, to: BrokerSession): Promise<RequestFrame | undefined> {
    try {
      const params = await this.#queued.bring(this.#threads, to, frame.params);
      return params === frame.params ? frame : withParams(frame, params);
    } catch (error) {
      this.#program.send(errorLine(frame.id, rpcErrorOf(error)));
      return undefined;
    }
  }

  #notify(frame: NotificationFrame): void {
    const named = this.#requests.toBroker(frame);
    if (named === "nothing") return;
    const target = named?.session ?? this.#current;
    target?.connection.sendLine((named?.frame ?? frame).line);
  }

  /** What has to be waited for first: a move, or the thread's. A turn that runs is reached all along. */
  #gate(frame: RequestFrame): Promise<void> | undefined {
    const threadId = threadIn(frame.params);
    if (threadId === undefined) return this.#moving;
    if (this.#threads.runningAt(threadId) !== undefined) return undefined;
    return this.#threads.arrival(threadId) ?? this.#moving;
  }

  #targetOf(frame: RequestFrame): BrokerSession | undefined {
    const threadId = threadIn(frame.params);
    const running = threadId === undefined ? undefined : this.#threads.runningAt(threadId);
    return running ?? this.#current;
  }

  #forward(frame: RequestFrame, session: BrokerSession): void {
    const failed = session.work.begin(frame.method, frame.params);
    const id = session.connection.forward(frame, (outcome) => {
      this.#requests.settled(frame);
      if (isRefusal(outcome)) failed(false);
      if (refusedForDraining(outcome) && session.draining?.reconnect === true) {
        return void this.#again(frame, session);
      }
      if (BrokerError.is(outcome)) return this.#program.refuse(frame.id, outcome);
      if (outcome.error === undefined) this.#noteAnswer(frame, outcome, session);
      this.#program.send(withId(outcome, frame.id));
    });
    if (id !== undefined) this.#requests.sent(frame, session, id);
  }

  /** Refused before anything came of it, so it can be asked of the successor. */
  async #again(frame: RequestFrame, session: BrokerSession): Promise<void> {
    const threadId = threadIn(frame.params);
    const runs = threadId !== undefined && session.runsTurnOf(threadId);
    if (runs && queueWishIn(frame.params) === undefined) {
      const message = `Thread ${threadId} is running a turn, in a broker that takes no other.`;
      return this.#program.refuse(frame.id, new BrokerError("threadBusy", message));
    }
    await this.#moving;
    if (runs && this.#current !== undefined && this.#current !== session) {
      const brought = await this.#brought(frame, this.#current);
      return brought === undefined ? undefined : await this.#route(brought);
    }
    if (this.#current !== session) return await this.#route(frame);
    const reason = `This broker takes no new work: ${session.draining?.reason ?? "it ends"}.`;
    this.#program.refuse(frame.id, new BrokerError("draining", reason));
  }

  #noteAnswer(frame: RequestFrame, answer: AnswerFrame, at: BrokerSession): void {
    this.#threads.answered(frame.method, frame.params, answer.result, at);
  }

  #heard(session: BrokerSession, frame: NotificationFrame | RequestFrame): void {
    if (frame.kind === "request") return this.#program.send(this.#questions.ask(session, frame));
    const { method, params } = frame;
    if (method === "broker/turnLost") this.#heardOfLoss(session, params as TurnLost);
    this.#threads.heard(method, params, session);
    if (method === "broker/draining") return this.#heardOfEnd(session, params as Draining);
    if (method === "serverRequest/resolved") {
      const resolved = this.#questions.resolved(session, frame);
      if (resolved !== undefined) this.#program.send(resolved.line);
      return;
    }
    // A program that knows the app-server alone gets Codex's own words instead, once they are true.
    if (!method.startsWith("broker/")) this.#tell(session, frame);
    if (session !== this.#current && this.#moving === undefined) this.#takeOverFrom(session);
  }

  #tell(session: BrokerSession, frame: NotificationFrame): void {
    const own = this.#requests.toProgram(frame, session);
    if (own !== undefined) this.#program.send(own.line);
  }

  #heardOfLoss(session: BrokerSession, { threadId, turnId, error }: TurnLost): void {
    const known = turnId ?? session.work.turns().find(([each]) => each === threadId)?.[1];
    if (known !== undefined) void this.#endLostTurn(threadId, known, error.message);
  }

  #heardOfEnd(session: BrokerSession, draining: Draining): void {
    session.draining = draining;
    if (draining.reconnect && session === this.#current) this.#move();
  }

  /** From where the program is now, if it is anywhere, to the scope's broker. */
  #move(): void {
    if (this.#closing.signal.aborted) return;
    this.#moving ??= this.#moveFrom(this.#current)
      .catch((error: unknown) => this.#fail(asBrokerError(error, "brokerUnavailable")))
      .finally(() => {
        this.#moving = undefined;
        // It may have been replaced, or lost, while this was on its way there.
        const { draining, connection } = this.#current ?? {};
        if (draining?.reconnect === true || connection?.endCause !== undefined) this.#move();
      });
  }

  async #moveFrom(left: BrokerSession | undefined): Promise<void> {
    const session = await this.#open();
    if (this.#closing.signal.aborted) return session.connection.close();
    this.#current = session;
    this.#sessions.add(session);
    if (left === undefined) this.#welcome(session);
    else this.#tellOfMove(left, session);
    for (const frame of session.deliverTo((each) => this.#heard(session, each))) {
      if (left === undefined || !GREETINGS.has(frame.method)) this.#heard(session, frame);
    }
    void session.connection.closed.then((cause) => this.#lost(session, cause));
    session.work.onDone(() => this.#leaveIfDone(session));
    trace("info", "proxy.moved", { from: left?.record.epoch, to: session.record.epoch });
    for (const older of this.#sessions) if (older !== session) this.#takeOverFrom(older);
    if (left !== undefined) this.#takeOverFrom(left);
  }

  async #open(): Promise<BrokerSession> {
    const { scope, startTimeoutMs } = this.#options;
    const deadline = Deadline.after(startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS);
    const options = {
      ...this.#options,
      deadline,
      signal: this.#closing.signal,
      initializeParams: this.#program.initializeParams,
    };
    for (;;) {
      const session = await openHealthy(scope, deadline, () => BrokerSession.open(options));
      // One that was still starting could not yet say what the app-server answers.
      if (session.link.hello.state === "serving" || deadline.expired) return session;
      session.connection.close();
    }
  }

  #welcome({ link }: BrokerSession): void {
    const { broker: _ours, ...result } = link.initializeResult;
    this.#program.welcome(result);
  }

  #tellOfMove(left: BrokerSession, next: BrokerSession): void {
    const cause = left.connection.endCause;
    const reason = left.draining?.reason ?? cause?.message ?? "it was replaced";
    const epochs = `epoch ${left.record.epoch} → ${next.record.epoch}`;
    const message = `codex-broker: went on with another app-server (${epochs}): ${reason}`;
    this.#program.tell("warning", { threadId: null, message } satisfies v2.WarningNotification);
  }

  /** What is heard there and has no turn running is heard at the current broker from now on. */
  #takeOverFrom(left: BrokerSession): void {
    const next = this.#current;
    if (next === undefined || next === left) return;
    this.#threads.takeOver(left, next);
    this.#leaveIfDone(left);
  }

  #tellOfLostThread(threadId: string, why: string): void {
    const message = `codex-broker: this thread could not be taken along to another app-server: ${why}`;
    this.#program.tell("warning", { threadId, message } satisfies v2.WarningNotification);
    this.#program.tell("thread/closed", { threadId } satisfies v2.ThreadClosedNotification);
  }

  /** An older connection is kept for what is still to come over it. */
  #leaveIfDone(session: BrokerSession): void {
    if (session === this.#current || !session.work.done) return;
    if (this.#sessions.delete(session)) session.connection.close();
  }

  #lost(session: BrokerSession, cause: BrokerError): void {
    if (this.#closing.signal.aborted || !this.#sessions.delete(session)) return;
    for (const line of this.#questions.lose(session)) this.#program.send(line);
    if (session === this.#current) {
      const { draining } = session;
      if (draining !== undefined && !draining.reconnect && !draining.abnormal) {
        return this.#fail(
          new BrokerError("connectionLost", `The broker has ended: ${draining.reason}.`),
        );
      }
      this.#move();
    } else if (this.#moving === undefined) this.#takeOverFrom(session);
    for (const [threadId, turnId] of session.work.turns()) {
      void this.#endLostTurn(threadId, turnId, cause.message);
    }
  }

  /** The program waits for a `turn/completed` that cannot come any more. */
  async #endLostTurn(threadId: string, turnId: string, why: string): Promise<void> {
    await this.#moving;
    await this.#threads.arrival(threadId);
    this.#program.tell(
      "turn/completed",
      endOfLostTurn(threadId, turnId, why, await this.#past(threadId)),
    );
  }

  async #past(threadId: string): Promise<readonly v2.Turn[] | undefined> {
    const params = { threadId, limit: 5 } satisfies v2.ThreadTurnsListParams;
    return await latestTurns({
      ask: async (deadline) => {
        await this.#moving;
        const answer = this.#current?.connection.request("thread/turns/list", params, { deadline });
        return (await answer) as v2.ThreadTurnsListResponse;
      },
      deadline: Deadline.after(HISTORY_LIMIT_MS),
      signal: this.#closing.signal,
    });
  }

  /** Where a directory is left out, or is a relative one, it is the program's that counts. */
  #inDirectory(frame: RequestFrame): RequestFrame {
    if (!NEED_CWD.has(frame.method) || !isRecord(frame.params)) return frame;
    const named = frame.params["cwd"] ?? ".";
    if (typeof named !== "string" || path.isAbsolute(named)) return frame;
    return withParams(frame, { ...frame.params, cwd: path.resolve(this.#options.cwd, named) });
  }

  #fail(error: BrokerError): void {
    if (this.#closing.signal.aborted) return;
    this.#failure = error;
    if (this.#current === undefined && this.#program.introduction !== undefined) {
      this.#program.refuse(this.#program.introduction.id, error);
    }
    this.#end();
  }

  /** The turns of its sessions are interrupted by their brokers, as with any session that goes. */
  #end(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const { connection } of this.#sessions) connection.close();
    this.#program.close();
  }
}
