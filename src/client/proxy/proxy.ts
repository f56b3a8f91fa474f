import path from "node:path";
import type { v2 } from "../../app-server/generated/index.ts";
import { asBrokerError, BrokerError, messageOf } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { trace } from "../../base/trace.ts";
import type { Scope } from "../../lifecycle/scope.ts";
import type { BrokerLimits } from "../../lifecycle/start-protocol.ts";
import { MAX_LINE_BYTES } from "../../wire/broker-protocol.ts";
import { decodeClientLine } from "../../wire/client-line.ts";
import type { Outcome } from "../../wire/connection.ts";
import {
  withId,
  withParams,
  type AnswerFrame,
  type NotificationFrame,
  type RequestFrame,
} from "../../wire/frame.ts";
import type { Line } from "../../wire/line.ts";
import { LineChannel, type Streams } from "../../wire/line-channel.ts";
import {
  errorLine,
  fromRpcError,
  isRecord,
  notificationLine,
  resultLine,
  toRpcError,
} from "../../wire/messages.ts";
import { openHealthy } from "../open.ts";
import { BrokerSession } from "./broker-session.ts";
import { endOfLostTurn } from "./lost-turn.ts";
import { ProxiedQuestions } from "./questions.ts";

const DEFAULT_START_TIMEOUT_MS = 60_000;
/** The writer of a thread is let go of about a second after its broker began to drain. */
const RESUME_LIMIT_MS = 10_000;
const LOOK_UP_LIMIT_MS = 10_000;
/** A program that has left this much unread when more comes is given up. */
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

/** Their answer names a thread that the program hears from then on. */
const SUBSCRIBERS = new Set(["thread/start", "thread/resume", "thread/fork"]);
/** After these the program does not hear the thread any more. */
const LEAVERS = new Set(["thread/unsubscribe", "thread/archive", "thread/delete"]);
/** Run in a directory that, unless it is named, is the app-server's own. */
const NEED_CWD = new Set(["thread/start", "command/exec", "process/spawn"]);

/** Said to each new connection: the program has heard it before. */
const GREETINGS = new Set(["configWarning", "remoteControl/status/changed"]);

export interface ProxyOptions {
  readonly scope: Scope;
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
  readonly #program: LineChannel;
  readonly #sessions = new Set<BrokerSession>();
  /** Where each thread that the program hears is heard. */
  readonly #homes = new Map<string, BrokerSession>();
  /** The `config` that a thread was opened with: Codex keeps everything else of it by itself. */
  readonly #configs = new Map<string, unknown>();
  /** Threads that are on their way to the current broker. */
  readonly #resuming = new Map<string, Promise<void>>();
  readonly #questions = new ProxiedQuestions();
  readonly #closing = new AbortController();
  readonly #ended = deferred<void>();
  #introduction: RequestFrame | undefined;
  #current: BrokerSession | undefined;
  #moving: Promise<void> | undefined;
  #failure: BrokerError | undefined;

  constructor(streams: Streams, options: ProxyOptions) {
    this.#options = options;
    streams.writable.once("close", () => {
      if (this.#failure === undefined) this.#ended.resolve();
      else this.#ended.reject(this.#failure);
    });
    this.#program = new LineChannel(
      streams,
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit) => {
          const message = `A message may have ${limit} bytes; this one has more.`;
          this.#refuse("null", new BrokerError("frameTooLarge", message));
        },
        onEnd: () => this.#end(),
      },
      MAX_LINE_BYTES,
    );
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

  #receive(line: Buffer): void {
    const frame = decodeClientLine(line);
    switch (frame.kind) {
      case "fault":
        return this.#refuse(frame.id ?? "null", frame.error);
      case "request":
        return this.#request(frame);
      case "notification":
        // The handshake is this side's own business, and done anew with each broker.
        if (frame.method !== "initialized") this.#current?.connection.sendLine(frame.line);
        return;
      case "answer":
        return this.#questions.answer(frame);
    }
  }

  #request(frame: RequestFrame): void {
    if (frame.method !== "initialize") {
      if (this.#introduction !== undefined) return void this.#route(frame);
      return this.#refuse(frame.id, new BrokerError("notInitialized", "Not initialized"));
    }
    if (this.#introduction !== undefined) {
      return this.#refuse(frame.id, new BrokerError("invalidRequest", "Already initialized"));
    }
    this.#introduction = frame;
    this.#move();
  }

  /** Sends the request where it belongs, once that is known. */
  async #route(request: RequestFrame): Promise<void> {
    const frame = this.#inDirectory(request);
    for (let gate = this.#gate(frame); gate !== undefined; gate = this.#gate(frame)) await gate;
    const target = this.#targetOf(frame);
    if (target !== undefined) this.#forward(frame, target);
  }

  /** What has to be waited for first: a move, or the thread's. A turn that runs is reached all along. */
  #gate(frame: RequestFrame): Promise<void> | undefined {
    const threadId = threadIn(frame.params);
    if (threadId === undefined) return this.#moving;
    if (this.#homes.get(threadId)?.runsTurnOf(threadId) === true) return undefined;
    return this.#resuming.get(threadId) ?? this.#moving;
  }

  #targetOf(frame: RequestFrame): BrokerSession | undefined {
    const threadId = threadIn(frame.params);
    const home = threadId === undefined ? undefined : this.#homes.get(threadId);
    return threadId !== undefined && home?.runsTurnOf(threadId) === true ? home : this.#current;
  }

  #forward(frame: RequestFrame, session: BrokerSession): void {
    const undo = session.work.begin(frame.method, frame.params);
    session.connection.forward(frame, (outcome) => {
      if (isRefusal(outcome)) undo();
      if (refusedForDraining(outcome) && session.draining?.reconnect === true) {
        return void this.#again(frame, session);
      }
      if (BrokerError.is(outcome)) return this.#refuse(frame.id, outcome);
      if (outcome.error === undefined) this.#noteAnswer(frame, outcome, session);
      this.#send(withId(outcome, frame.id));
    });
  }

  /** Refused before anything came of it, so it can be asked of the successor. */
  async #again(frame: RequestFrame, session: BrokerSession): Promise<void> {
    const threadId = threadIn(frame.params);
    if (threadId !== undefined && session.runsTurnOf(threadId)) {
      const message = `Thread ${threadId} is running a turn, in a broker that takes no other.`;
      return this.#refuse(frame.id, new BrokerError("threadBusy", message));
    }
    await this.#moving;
    if (this.#current !== session) return await this.#route(frame);
    const reason = `This broker takes no new work: ${session.draining?.reason ?? "it ends"}.`;
    this.#refuse(frame.id, new BrokerError("draining", reason));
  }

  #noteAnswer({ method, params }: RequestFrame, { result }: AnswerFrame, at: BrokerSession): void {
    at.work.answered(params, result);
    const asked = threadIn(params);
    if (asked !== undefined && at.work.runsTurnOf(asked)) at.noteTurn(asked, result);
    if (asked !== undefined && LEAVERS.has(method)) this.#forgetThread(asked);
    const thread = SUBSCRIBERS.has(method) && isRecord(result) ? result["thread"] : undefined;
    if (!isRecord(thread)) return;
    const threadId = String(thread["id"]);
    this.#homes.set(threadId, at);
    if (isRecord(params) && isRecord(params["config"])) {
      this.#configs.set(threadId, params["config"]);
    }
  }

  #forgetThread(threadId: string): void {
    this.#homes.delete(threadId);
    this.#configs.delete(threadId);
  }

  #heard(session: BrokerSession, frame: NotificationFrame | RequestFrame): void {
    if (frame.kind === "request") return this.#send(this.#questions.ask(session, frame));
    session.note(frame);
    const { method } = frame;
    if (method === "broker/draining") return this.#heardOfEnd(session);
    if (method === "serverRequest/resolved") {
      const resolved = this.#questions.resolved(session, frame);
      if (resolved !== undefined) this.#send(resolved.line);
      return;
    }
    // A program that knows the app-server alone gets Codex's own words instead, once they are true.
    if (!method.startsWith("broker/")) this.#send(frame.line);
    if (method === "thread/deleted") this.#forgetThread(threadIn(frame.params) ?? "");
    if (session !== this.#current && this.#moving === undefined) this.#takeOverFrom(session);
  }

  #heardOfEnd(session: BrokerSession): void {
    if (session.draining?.reconnect === true && session === this.#current) this.#move();
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
    const params = this.#introduction?.params;
    const deadline = Deadline.after(startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS);
    const options = {
      ...this.#options,
      deadline,
      signal: this.#closing.signal,
      initializeParams: isRecord(params) ? params : {},
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
    if (this.#introduction !== undefined) this.#send(resultLine(this.#introduction.id, result));
  }

  #tellOfMove(left: BrokerSession, next: BrokerSession): void {
    const cause = left.connection.endCause;
    const reason = left.draining?.reason ?? cause?.message ?? "it was replaced";
    const epochs = `epoch ${left.record.epoch} → ${next.record.epoch}`;
    const message = `codex-broker: went on with another app-server (${epochs}): ${reason}`;
    this.#tell("warning", { threadId: null, message } satisfies v2.WarningNotification);
  }

  /** What is heard there and has no turn running is heard at the current broker from now on. */
  #takeOverFrom(left: BrokerSession): void {
    const next = this.#current;
    if (next === undefined || next === left) return;
    for (const [threadId, home] of this.#homes) {
      if (home !== left || left.runsTurnOf(threadId)) continue;
      this.#homes.set(threadId, next);
      const resuming = this.#resume(threadId, next).finally(() => {
        if (this.#resuming.get(threadId) === resuming) this.#resuming.delete(threadId);
      });
      this.#resuming.set(threadId, resuming);
    }
    this.#leaveIfDone(left);
  }

  async #resume(threadId: string, at: BrokerSession): Promise<void> {
    const config = this.#configs.get(threadId);
    const params = { threadId, excludeTurns: true, ...(config === undefined ? {} : { config }) };
    try {
      const deadline = Deadline.after(RESUME_LIMIT_MS);
      await at.connection.request("thread/resume", params, { deadline });
    } catch (error) {
      // Where this broker goes as well, the thread is taken over from here in its turn.
      if (at.draining !== undefined || at.connection.endCause !== undefined) return;
      if (this.#homes.get(threadId) === at) this.#tellOfLostThread(threadId, messageOf(error));
    }
  }

  #tellOfLostThread(threadId: string, why: string): void {
    this.#forgetThread(threadId);
    const message = `codex-broker: this thread could not be taken along to another app-server: ${why}`;
    this.#tell("warning", { threadId, message } satisfies v2.WarningNotification);
    this.#tell("thread/closed", { threadId } satisfies v2.ThreadClosedNotification);
  }

  /** An older connection is kept for what is still to come over it. */
  #leaveIfDone(session: BrokerSession): void {
    if (session === this.#current || !session.work.done) return;
    if (this.#sessions.delete(session)) session.connection.close();
  }

  #lost(session: BrokerSession, cause: BrokerError): void {
    if (this.#closing.signal.aborted || !this.#sessions.delete(session)) return;
    for (const line of this.#questions.lose(session)) this.#send(line);
    if (session === this.#current) {
      const { draining } = session;
      if (draining !== undefined && !draining.reconnect && !draining.abnormal) {
        return this.#fail(
          new BrokerError("connectionLost", `The broker has ended: ${draining.reason}.`),
        );
      }
      this.#move();
    } else if (this.#moving === undefined) this.#takeOverFrom(session);
    for (const [threadId, turnId] of session.turns) {
      void this.#endLostTurn(threadId, turnId, session.losses.get(threadId) ?? cause.message);
    }
  }

  /** The program waits for a `turn/completed` that cannot come any more. */
  async #endLostTurn(threadId: string, turnId: string, why: string): Promise<void> {
    await this.#moving;
    await this.#resuming.get(threadId);
    this.#tell("turn/completed", endOfLostTurn(threadId, turnId, why, await this.#past(threadId)));
  }

  async #past(threadId: string): Promise<readonly v2.Turn[]> {
    try {
      const deadline = Deadline.after(LOOK_UP_LIMIT_MS);
      const params = { threadId, limit: 5 } satisfies v2.ThreadTurnsListParams;
      const page = await this.#current?.connection.request("thread/turns/list", params, {
        deadline,
      });
      return (page as v2.ThreadTurnsListResponse).data;
    } catch (error) {
      trace("info", "proxy.noHistory", { threadId, error: String(error) });
      return [];
    }
  }

  /** Where a directory is left out, or is a relative one, it is the program's that counts. */
  #inDirectory(frame: RequestFrame): RequestFrame {
    if (!NEED_CWD.has(frame.method) || !isRecord(frame.params)) return frame;
    const named = frame.params["cwd"] ?? ".";
    if (typeof named !== "string" || path.isAbsolute(named)) return frame;
    return withParams(frame, { ...frame.params, cwd: path.resolve(this.#options.cwd, named) });
  }

  /** A notification of the proxy's own making, unless the program does not want such. */
  #tell(method: string, params: unknown): void {
    const introduction = this.#introduction?.params;
    const capabilities = isRecord(introduction) ? introduction["capabilities"] : undefined;
    const optOut = isRecord(capabilities) ? capabilities["optOutNotificationMethods"] : undefined;
    if (Array.isArray(optOut) && optOut.includes(method)) return;
    this.#send(notificationLine(method, params));
  }

  #refuse(id: string, error: BrokerError): void {
    this.#send(errorLine(id, toRpcError(error)));
  }

  #send(line: Line): void {
    this.#program.send(line);
    if (this.#program.queuedBytes <= MAX_QUEUED_BYTES) return;
    const message = `The program has left more than ${MAX_QUEUED_BYTES} bytes unread.`;
    this.#fail(new BrokerError("connectionClosed", message, { hint: "" }));
    this.#program.destroy();
  }

  #fail(error: BrokerError): void {
    if (this.#closing.signal.aborted) return;
    this.#failure = error;
    if (this.#current === undefined && this.#introduction !== undefined) {
      this.#refuse(this.#introduction.id, error);
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

function threadIn(params: unknown): string | undefined {
  const threadId = isRecord(params) ? params["threadId"] : undefined;
  return typeof threadId === "string" ? threadId : undefined;
}

function isRefusal(outcome: Outcome): boolean {
  return BrokerError.is(outcome) || outcome.error !== undefined;
}

function refusedForDraining(outcome: Outcome): boolean {
  if (BrokerError.is(outcome) || outcome.error === undefined) return false;
  const error = fromRpcError(outcome.error);
  return BrokerError.is(error) && error.kind === "draining";
}
