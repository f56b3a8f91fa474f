import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { AppServerExit } from "../app-server/child.ts";
import { describeExit, startAppServer, type StartedAppServer } from "../app-server/start.ts";
import { stopAppServer } from "../app-server/stop-ladder.ts";
import { asBrokerError, BrokerError, textDetail } from "../base/errors.ts";
import { Changes } from "../base/changes.ts";
import { clampTimer, Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { StateMachine } from "../base/state-machine.ts";
import { trace } from "../base/trace.ts";
import { BROKER_BUILD, BROKER_VERSION } from "../base/version.ts";
import {
  epochPath,
  holdsEpoch,
  listEpochs,
  publishEpoch,
  type EndedRecord,
  type ServingRecord,
} from "../lifecycle/epoch-file.ts";
import { readCodexSettings } from "../lifecycle/codex-settings.ts";
import { Retirement } from "../lifecycle/retire.ts";
import type { StartOrder } from "../lifecycle/start-protocol.ts";
import { chooseEndpoint } from "../os/endpoint.ts";
import { fingerprintOf } from "../os/fingerprint.ts";
import { neutralDirectory } from "../os/neutral-directory.ts";
import { identityOf, ownIdentity } from "../os/process-identity.ts";
import {
  BROKER_PROTOCOL,
  MAX_LINE_BYTES,
  proofOf,
  type AppServerFacts,
  type BrokerHello,
  type BrokerHelloParams,
  type BrokerState,
  type BrokerStatus,
  type Versions,
} from "../wire/broker-protocol.ts";
import type { RequestFrame } from "../wire/frame.ts";
import { errorLine, resultLine, toRpcError } from "../wire/messages.ts";
import { DescendantWatch } from "./descendant-watch.ts";
import { GroundWatch } from "./ground.ts";
import { Health } from "./health.ts";
import { Listener } from "./listener.ts";
import { answerRequestOfOurs, isRequestOfOurs, type BrokerFacade } from "./requests-of-ours.ts";
import { Router } from "./router.ts";
import { Session } from "./session.ts";
import { Watchdog } from "./watchdog.ts";

/** A cold start under heavy load, the retries on a locked database included. */
const APP_SERVER_START_MS = 45_000;
/** An interrupted turn ends within milliseconds; one that does not is cut off with the app-server. */
const INTERRUPT_GRACE_MS = 5_000;
/** For answers on their way: the app-server drops them when its stdin ends. */
const OUTSTANDING_GRACE_MS = 1_000;
/** For what is queued to clients. One that does not read loses it. */
const FLUSH_GRACE_MS = 250;
/** For clients to find the successor, resume their idle threads there and leave. */
const MOVE_GRACE_MS = 5_000;
const HELLO_PROBE_WAIT_MS = 1_200;
/** The sum of all bounds of the steps of a shutdown, and some. */
const SHUTDOWN_LIMIT_MS = 20_000;
const MAX_SESSIONS = 1_000;

const MOVES: Readonly<Record<BrokerState, readonly BrokerState[]>> = {
  starting: ["serving", "draining"],
  serving: ["draining"],
  draining: ["stopping"],
  stopping: ["ended"],
  ended: [],
};

/** Why a broker ends. */
export interface Ending {
  readonly reason: string;
  /** Present when it ends because something went wrong. */
  readonly error?: BrokerError;
  /** Interrupt running turns at once. */
  readonly force?: boolean;
  /** A successor is there or wanted: the clients are to go on with it. */
  readonly reconnect?: boolean;
}

/** The holder of one epoch: a listener, its sessions, and one app-server. They live and die together. */
export class Broker implements BrokerFacade {
  readonly #order: StartOrder;
  readonly #scopeDir: string;
  readonly #instance = randomBytes(16).toString("hex");
  readonly #startedAt = new Date();
  readonly #state = new StateMachine<BrokerState>("starting", MOVES);
  readonly #sessions = new Set<Session>();
  readonly #router: Router;
  readonly #health: Health;
  readonly #descendants = new DescendantWatch(
    () => this.#appServer?.child.descendants.note(),
    () => this.#router.turnCount > 0,
  );
  readonly #changes = new Changes();
  readonly #started = deferred<void>();
  readonly #ended = deferred<void>();
  #nextSession = 1;
  #listener: Listener | undefined;
  #record: ServingRecord | undefined;
  #ground: GroundWatch | undefined;
  #appServer: StartedAppServer | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #retirement: Retirement | undefined;
  #watchdog: Watchdog | undefined;
  #ageTimer: NodeJS.Timeout | undefined;
  #overAge = false;
  #buried = false;

  constructor(order: StartOrder) {
    this.#order = order;
    this.#scopeDir = order.scope.directory;
    this.#router = new Router({
      workspace: order.scope.workspace,
      onTurnsChanged: () => this.#workChanged(),
      onCommandStarted: () => this.#descendants.commandStarted(),
      onAllAnswered: () => this.#changes.notify(),
    });
    this.#health = new Health(this.#router.upstream, () =>
      this.#appServerFailed("does not answer any more"),
    );
    this.#started.promise.catch(() => {});
  }

  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when everything is over and the process may exit. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Binds the endpoint and takes the epoch; the app-server is started after that, in the background.
   *
   * @throws BrokerError when it cannot listen or has lost its epoch already. Nothing is left then.
   */
  async listen(): Promise<ServingRecord> {
    const { scope, claim } = this.#order;
    const { epoch } = claim;
    const endpoint = chooseEndpoint({ ...scope, epoch, instance: this.#instance });
    this.#listener = await Listener.open(endpoint, (socket) => this.#accept(socket));
    try {
      this.#record = this.#takeEpoch();
      // One that was superseded while it started must not lead anybody here.
      if (listEpochs(this.#scopeDir)[0] === epoch) this.#listener.pointCurrentHere();
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    this.#ground = new GroundWatch(
      {
        scopeDir: this.#scopeDir,
        epoch,
        token: claim.token,
        workspace: scope.workspace,
        socket: process.platform === "win32" ? null : endpoint.address,
      },
      (loss) => void this.end(loss),
      () => this.#listener?.keepCurrent(),
    );
    // Whoever was superseded meanwhile need not start an app-server first.
    this.#ground.look();
    if (this.#state.is("starting")) void this.#startAppServer();
    return this.#record;
  }

  /** Ends the broker in order, once; later calls wait for the first. Never rejects. */
  end(ending: Ending): Promise<void> {
    if (!this.#state.is("starting", "serving")) {
      if (ending.force === true) this.#router.interruptAll();
      return this.ended;
    }
    this.#state.to("draining");
    this.#runDown(ending).then(this.#ended.resolve, (error: unknown) => {
      trace("error", "broker.badEnd", { error: String(error) });
      this.#ended.resolve();
    });
    return this.ended;
  }

  async health(): Promise<{ state: BrokerState; appServer: AppServerFacts }> {
    await this.#health.check(HELLO_PROBE_WAIT_MS);
    return { state: this.#state.state, appServer: this.#appServerFacts() };
  }

  turns(): ReturnType<Router["turns"]> {
    return this.#router.turns();
  }

  stop(force: boolean): { state: BrokerState; turns: number } {
    const turns = this.#router.turnCount;
    // After this answer is on its way.
    setImmediate(() => void this.end({ reason: force ? "stopped by force" : "stopped", force }));
    return { state: "draining", turns };
  }

  status(): BrokerStatus {
    const { scope, claim } = this.#order;
    return {
      scope: scope.key,
      workspace: scope.workspace,
      stateDir: scope.stateDir,
      epoch: claim.epoch,
      instance: this.#instance,
      state: this.#state.state,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      endpoint: this.#record?.endpoint ?? "",
      versions: this.#versions(),
      appServer: this.#appServerFacts(),
      sessions: [...this.#sessions].map((session) =>
        session.status(this.#router.threadsOf(session)),
      ),
      threads: this.#router.threadCount,
      turns: this.#router.turns(),
      rssBytes: process.memoryUsage.rss(),
    };
  }

  #takeEpoch(): ServingRecord {
    const { claim, scope } = this.#order;
    if (!holdsEpoch(this.#scopeDir, claim.epoch, claim.token)) {
      throw new BrokerError(
        "brokerStartFailed",
        `Epoch ${claim.epoch} was lost before the broker listened.`,
      );
    }
    const record: ServingRecord = {
      ...claim,
      state: "serving",
      instance: this.#instance,
      broker: ownIdentity(),
      appServer: null,
      endpoint: this.#listener!.endpoint.address,
      current: this.#listener!.endpoint.current,
      startedAt: this.#startedAt.toISOString(),
      workspace: scope.workspace,
      codex: scope.codex,
      fingerprint: fingerprintOf(scope.codex) ?? "unknown",
      codexHome: scope.codexHome,
      settings: readCodexSettings(scope.codexHome),
      versions: { broker: BROKER_VERSION, build: BROKER_BUILD, node: process.versions.node },
    };
    publishEpoch(this.#scopeDir, record);
    return record;
  }

  /** Should this process die, its successor can prove which app-server was its own. */
  #publishAppServer(pid: number | undefined): void {
    const { epoch, token } = this.#order.claim;
    if (this.#record === undefined || pid === undefined) return;
    if (!holdsEpoch(this.#scopeDir, epoch, token)) return;
    const record = { ...this.#record, appServer: identityOf(pid) };
    try {
      publishEpoch(this.#scopeDir, record);
      this.#record = record;
    } catch (error) {
      // A full disk is no reason to end a broker that works.
      trace("warn", "broker.appServerNotRecorded", { error: String(error) });
    }
  }

  async #startAppServer(): Promise<void> {
    const { scope } = this.#order;
    try {
      const appServer = await startAppServer({
        codex: scope.codex,
        cwd: neutralDirectory(),
        env: process.env,
        maxLineBytes: MAX_LINE_BYTES,
        deadline: Deadline.after(APP_SERVER_START_MS),
        onLine: (line) => this.#router.upstream.receive(line),
        onFault: (fault) => this.#appServerFailed(`speaks nonsense: ${fault.message}`),
      });
      this.#appServerStarted(appServer);
    } catch (thrown) {
      const error = asBrokerError(thrown, "appServerStartFailed");
      // First of all: whoever finds the broker ending must find the reason too.
      this.#writeObituary({ reason: error.message, error }, undefined);
      this.#started.reject(error);
      await this.end({ reason: error.message, error, force: true });
    }
  }

  #appServerStarted(appServer: StartedAppServer): void {
    this.#appServer = appServer;
    const { child } = appServer;
    void child.exited.then((exit) => {
      if (this.#state.is("ended")) return;
      const message = `The app-server (process ${String(child.pid)}) ${describeExit(exit)}.`;
      const error = new BrokerError("appServerExited", message, {
        details: {
          pid: child.pid,
          code: exit.code,
          signal: exit.signal,
          stderrTail: exit.stderrTail,
        },
      });
      this.#started.reject(error);
      this.#router.lose(error);
      return this.end({ reason: message, error, force: true });
    });
    trace("info", "appServer.started", { pid: child.pid, version: appServer.version });
    if (!this.#state.is("starting")) {
      return this.#started.reject(new BrokerError("draining", "It was stopped."));
    }
    this.#state.to("serving");
    this.#router.upstream.open((line) => child.send(line));
    this.#started.resolve();
    this.#limitAge();
    this.#workChanged();
    this.#publishAppServer(child.pid);
    this.#watchdog = new Watchdog(epochPath(this.#scopeDir, this.#order.claim.epoch), () => ({
      ...this.#obituary({ reason: "it hung" }, undefined),
      abnormal: true,
    }));
    this.#retirement = new Retirement(this.#scopeDir, this.#order.claim.epoch);
  }

  /** It runs, but is of no use any more. */
  #appServerFailed(how: string): void {
    const pid = this.#appServer?.child.pid;
    const error = new BrokerError(
      "appServerExited",
      `The app-server (process ${String(pid)}) ${how}.`,
      {
        details: { pid },
      },
    );
    this.#router.lose(error);
    void this.end({ reason: error.message, error, force: true });
  }

  #accept(socket: Socket): void {
    const session = new Session(this.#nextSession++, socket, {
      onInitialize: (from, frame) => void this.#initialize(from, frame),
      onRequest: (from, frame) => this.#request(from, frame),
      onNotification: (_from, frame) => this.#router.notification(frame),
      onAnswer: (from, frame) => this.#router.answer(from, frame),
      onEnd: (from) => this.#sessionEnded(from),
    });
    this.#sessions.add(session);
    this.#workChanged();
  }

  async #initialize(session: Session, frame: RequestFrame): Promise<void> {
    if (this.#sessions.size > MAX_SESSIONS) {
      const error = new BrokerError(
        "tooManySessions",
        `This broker has ${MAX_SESSIONS} sessions already.`,
      );
      session.send(errorLine(frame.id, toRpcError(error)));
      return session.finish();
    }
    const hello = session.introduce(frame.params);
    try {
      if (hello === undefined) await this.started;
      else if (this.#state.is("serving")) await this.#health.check(HELLO_PROBE_WAIT_MS);
      session.send(resultLine(frame.id, this.#initializeResult(hello)));
      if (this.#sessions.has(session)) this.#router.join(session);
    } catch (error) {
      session.send(errorLine(frame.id, toRpcError(asBrokerError(error, "appServerStartFailed"))));
    }
  }

  #initializeResult(hello: BrokerHelloParams | undefined): unknown {
    const result = this.#appServer?.initializeResult ?? { codexHome: this.#order.scope.codexHome };
    return hello === undefined ? result : { ...result, broker: this.#hello(hello.nonce) };
  }

  #hello(nonce: string): BrokerHello {
    return {
      protocol: BROKER_PROTOCOL,
      instance: this.#instance,
      epoch: this.#order.claim.epoch,
      state: this.#state.state,
      proof: proofOf(this.#order.claim.token, nonce),
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      versions: this.#versions(),
      appServer: this.#appServerFacts(),
    };
  }

  #request(session: Session, frame: RequestFrame): void {
    if (!isRequestOfOurs(frame.method)) return this.#router.request(session, frame);
    answerRequestOfOurs(this, frame.method, frame.params).then(
      (result) => session.send(resultLine(frame.id, result)),
      (error: unknown) => {
        session.send(errorLine(frame.id, toRpcError(asBrokerError(error, "invalidRequest"))));
      },
    );
  }

  #sessionEnded(session: Session): void {
    this.#sessions.delete(session);
    this.#router.leave(session);
    this.#workChanged();
  }

  /** Nobody may come to supersede it: over age, it ends by itself as soon as no turn runs. */
  #limitAge(): void {
    const { maxAgeMs } = this.#order.limits;
    if (maxAgeMs === 0) return;
    this.#ageTimer = setTimeout(() => {
      this.#overAge = true;
      this.#workChanged();
    }, clampTimer(maxAgeMs));
  }

  /** The idle time starts at the end of work, and any work stops it. */
  #workChanged(): void {
    this.#changes.notify();
    if (this.#overAge && this.#state.is("serving") && this.#router.turnCount === 0) {
      void this.end({ reason: "over age", reconnect: true });
    }
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (!this.#state.is("serving") || !this.#isIdle()) return;
    this.#idleTimer = setTimeout(() => {
      if (this.#isIdle()) void this.end({ reason: "idle" });
    }, clampTimer(this.#order.limits.idleTimeoutMs));
  }

  #isIdle(): boolean {
    return this.#sessions.size === 0 && this.#router.turnCount === 0;
  }

  async #runDown(ending: Ending): Promise<void> {
    const { reason, error } = ending;
    trace("info", "broker.draining", { reason, turns: this.#router.turnCount });
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#ageTimer);
    this.#ground?.close();
    this.#retirement?.close();
    this.#listener?.leaveCurrent();
    this.#started.reject(error ?? new BrokerError("draining", `The broker ends: ${reason}.`));
    this.#router.drain({ reason, reconnect: ending.reconnect === true });
    await this.#settleTurns(ending);
    if (ending.reconnect === true) await this.#letClientsMove();
    this.#state.to("stopping");
    this.#watchdog?.boundShutdown(SHUTDOWN_LIMIT_MS);
    this.#listener?.close();
    this.#descendants.stop();
    await this.#changes.until(() => this.#router.upstream.outstanding === 0, OUTSTANDING_GRACE_MS);
    this.#router.lose(
      error ?? new BrokerError("connectionLost", `The broker has ended: ${reason}.`),
    );
    await this.#closeSessions();
    const child = this.#appServer?.child;
    const exit = child === undefined ? null : (await stopAppServer(child)).exit;
    this.#writeObituary(ending, exit ?? undefined);
    this.#watchdog?.close();
    this.#state.to("ended");
    trace("info", "broker.ended", { reason });
  }

  async #settleTurns(ending: Ending): Promise<void> {
    const done = (): boolean => this.#router.turnCount === 0;
    if (ending.force !== true) await this.#changes.until(done, this.#order.limits.drainTimeoutMs);
    if (done()) return;
    this.#router.interruptAll();
    await this.#changes.until(done, INTERRUPT_GRACE_MS);
  }

  /** Clients of ours go to the successor by themselves; until they have, their requests are answered. */
  async #letClientsMove(): Promise<void> {
    const left = (): boolean => ![...this.#sessions].some((session) => session.movesByItself);
    await this.#changes.until(left, MOVE_GRACE_MS);
  }

  async #closeSessions(): Promise<void> {
    for (const session of this.#sessions) session.finish();
    await this.#changes.until(() => this.#sessions.size === 0, FLUSH_GRACE_MS);
    for (const session of this.#sessions) session.destroy();
  }

  /** Once: what was written first knows the cause. */
  #writeObituary(ending: Ending, exit: AppServerExit | undefined): void {
    const { claim } = this.#order;
    if (this.#buried || !holdsEpoch(this.#scopeDir, claim.epoch, claim.token)) return;
    this.#buried = true;
    try {
      publishEpoch(this.#scopeDir, this.#obituary(ending, exit));
    } catch (thrown) {
      trace("error", "broker.noObituary", {
        file: epochPath(this.#scopeDir, claim.epoch),
        error: String(thrown),
      });
    }
  }

  #obituary({ reason, error }: Ending, exit: AppServerExit | undefined): EndedRecord {
    return {
      ...(this.#record ?? this.#order.claim),
      state: "ended",
      reason,
      at: new Date().toISOString(),
      abnormal: error !== undefined,
      exit: exit === undefined ? null : { code: exit.code, signal: exit.signal },
      error: this.#appServer === undefined ? (error?.toJSON() ?? null) : null,
      stderrTail: exit?.stderrTail ?? textDetail(error, "stderrTail"),
    };
  }

  #versions(): Versions {
    const codex = this.#appServer?.version ?? null;
    return { broker: BROKER_VERSION, build: BROKER_BUILD, node: process.versions.node, codex };
  }

  #appServerFacts(): AppServerFacts {
    const ago = this.#router.upstream.lastAnswerMsAgo;
    return {
      pid: this.#appServer?.child.pid ?? null,
      version: this.#appServer?.version ?? null,
      lastAnswerMsAgo: ago === null ? null : Math.round(ago),
      unansweredMs: this.#health.unansweredMs,
    };
  }
}
