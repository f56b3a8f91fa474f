import { describeExit, type StartedAppServer } from "../app-server/start.ts";
import { asBrokerError, BrokerError } from "../base/errors.ts";
import { Changes } from "../base/changes.ts";
import { Deadline, monotonicMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { StateMachine } from "../base/state-machine.ts";
import { trace } from "../base/trace.ts";
import { BROKER_BUILD, BROKER_VERSION } from "../base/version.ts";
import { jobsDirectory } from "../jobs/job-directory.ts";
import { listEpochs, type ServingRecord } from "../lifecycle/epoch-file.ts";
import { LivingRecords } from "../lifecycle/living-brokers.ts";
import { Retirement } from "../lifecycle/retire.ts";
import { findOlderTurn, olderBrokers } from "../lifecycle/older-brokers.ts";
import type { StartOrder } from "../lifecycle/start-protocol.ts";
import { chooseEndpoint } from "../os/endpoint.ts";
import type { Ties } from "../os/own-job.ts";
import { neutralDirectory } from "../os/neutral-directory.ts";
import {
  BROKER_PROTOCOL,
  MAX_LINE_BYTES,
  proofOf,
  type AppServerFacts,
  type BrokerHello,
  type BrokerHelloParams,
  type BrokerState,
  type BrokerStatus,
  type UnqueueParams,
  type Versions,
} from "../wire/broker-protocol.ts";
import { appServerEnvironment } from "./app-server-environment.ts";
import { DescendantWatch } from "./descendant-watch.ts";
import { DrainLimit } from "./drain-limit.ts";
import type { Ending } from "./ending.ts";
import { runDown } from "./exit-path.ts";
import { Health } from "./health.ts";
import { Jobs } from "./jobs.ts";
import { Lifespan } from "./lifespan.ts";
import { Listener } from "./listener.ts";
import { OwnAppServer } from "./own-app-server.ts";
import { OwnRecord, type End } from "./own-record.ts";
import type { Peer } from "./peer.ts";
import { Reception, type Host } from "./reception.ts";
import { Router } from "./router.ts";
import { Surroundings } from "./surroundings.ts";
import { Watchdog } from "./watchdog.ts";
import { WearWatch } from "./wear-watch.ts";

/** A cold start under heavy load, the retries on a locked database included. */
const APP_SERVER_START_MS = 45_000;
/** What goes on to a client may get a longer id on the way, and has to fit there too. */
const MAX_ANSWER_BYTES = MAX_LINE_BYTES - 1024;
/** What nobody waits for is not begun at once: the first client waits. */
const FIRST_CLIENT_MS = 1_000;
const HELLO_PROBE_WAIT_MS = 1_200;

const MOVES: Readonly<Record<BrokerState, readonly BrokerState[]>> = {
  starting: ["serving", "draining"],
  serving: ["draining"],
  draining: ["stopping"],
  stopping: ["ended"],
  ended: [],
};

/** The holder of one epoch: a listener, its sessions, and one app-server. They live and die together. */
export class Broker implements Host {
  readonly #order: StartOrder;
  readonly #scopeDir: string;
  readonly #record: OwnRecord;
  readonly #surroundings: Surroundings;
  readonly #livingRecords: LivingRecords;
  readonly #ties: Ties;
  readonly #state = new StateMachine<BrokerState>("starting", MOVES);
  readonly #router: Router;
  readonly #reception: Reception;
  readonly #health: Health;
  readonly #lifespan: Lifespan;
  readonly jobs: Jobs;
  readonly #wear: WearWatch;
  readonly #descendants = new DescendantWatch(
    () => this.#appServer.child?.descendants.note(),
    () => this.#router.turnCount > 0,
  );
  readonly #appServer = new OwnAppServer();
  readonly #changes = new Changes();
  readonly #drainLimit = new DrainLimit(() => this.#changes.notify());
  readonly #started = deferred<void>();
  readonly #ended = deferred<void>();
  #listener: Listener | undefined;
  #retirement: Retirement | undefined;
  #watchdog: Watchdog | undefined;
  #drainingSince: number | undefined;
  #endsBecause: string | undefined;

  constructor(order: StartOrder, ties: Ties) {
    this.#order = order;
    this.#ties = ties;
    this.#scopeDir = order.scope.directory;
    this.#record = new OwnRecord(order);
    this.#surroundings = new Surroundings(order);
    this.#livingRecords = new LivingRecords(order.scope.directory, this.#record.instance);
    this.#router = new Router({
      workspace: order.scope.workspace,
      answerTimeoutMs: order.limits.answerTimeoutMs,
      capacity: order.limits,
      findOlderTurn: (threadId) =>
        findOlderTurn(order.scope.directory, order.claim.epoch, threadId),
      writerOf: (threadId) => this.#surroundings.writerOf(threadId),
      onTurnsChanged: () => this.#workChanged(),
      onThreadEvent: (frame, threadId) => {
        if (frame.method === "thread/started") this.#surroundings.threadOpened();
        this.#wear.outcomes.observe(frame, threadId);
      },
      onTurnLost: () => this.#wear.outcomes.lost(),
      onTurnStuck: (threadId) => this.#turnStuck(threadId),
      onCommandStarted: () => this.#descendants.commandStarted(),
      onWork: () => this.#health.workBegan(),
      onAllAnswered: () => this.#changes.notify(),
      onSilence: () => void this.#health.check(0, 0),
    });
    this.#reception = new Reception(this, this.#router, order.limits, {
      onSessionsChanged: () => this.#workChanged(),
      onArrivalLeft: () => this.#changes.notify(),
    });
    this.#health = new Health(this.#router.upstream, {
      atWork: () => this.#router.turnCount > 0 || this.#router.upstream.outstanding > 0,
      onSilent: () => this.#appServerSilent(),
      onUnresponsive: () => this.#appServerFailed("does not answer any more"),
    });
    this.#lifespan = new Lifespan(
      order.limits,
      () => ({
        sessions: this.#reception.sessions,
        turns: this.#router.turnCount + this.jobs.beginning,
      }),
      (ending) => void this.end(ending),
    );
    this.jobs = new Jobs({
      directory: jobsDirectory(order.scope.directory),
      workspace: order.scope.workspace,
      epoch: order.claim.epoch,
      instance: this.#record.instance,
      router: this.#router,
      living: () => {
        const brokers = olderBrokers(order.scope.directory, Number.POSITIVE_INFINITY);
        return new Set(brokers.map(({ instance }) => instance));
      },
      codexVersion: () => this.#appServer.started?.version ?? null,
      endsBecause: () => this.#endsBecause,
      onChange: () => this.#workChanged(),
    });
    this.#wear = new WearWatch(
      order,
      () => this.#router.turnCount > 0,
      (worn) => this.#lifespan.makeRoom(worn),
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
    const reading = this.#surroundings.circumstances();
    const { instance } = this.#record;
    const endpoint = chooseEndpoint({ ...scope, epoch, instance });
    const listener = await Listener.open(endpoint, (socket) => this.#reception.accept(socket));
    this.#listener = listener;
    let record: ServingRecord;
    try {
      const circumstances = await reading;
      // Before the record, at which the predecessor steps down: the fixed path never leads nowhere.
      // One that was superseded while it started must not lead anybody here.
      if (listEpochs(this.#scopeDir)[0] === epoch) listener.pointCurrentHere();
      record = this.#record.publishServing(endpoint, circumstances);
    } catch (error) {
      listener.close();
      throw error;
    }
    // A broker that was superseded meanwhile does not start an app-server first.
    this.#surroundings.watch(record, {
      onLost: (loss) => void this.end(loss),
      onHeld: () => listener.keepCurrent(),
      opensThread: () => this.#router.opensThread,
      onDrift: (reason) => {
        trace("info", "broker.drifted", { reason });
        this.#reception.sendOn({ reason, reconnect: true, abnormal: false });
      },
    });
    if (this.#state.is("starting")) void this.#startAppServer();
    return record;
  }

  /** Ends the broker in order, once; later calls wait for the first. Never rejects. */
  end(ending: Ending): Promise<void> {
    const { reason, error, force, interruptAfterMs } = ending;
    if (force === true) this.#drainLimit.set(0);
    else if (interruptAfterMs !== undefined) this.#drainLimit.set(interruptAfterMs);
    if (!this.#state.is("starting", "serving")) return this.ended;
    trace("info", "broker.draining", { reason, turns: this.#router.turnCount });
    this.#state.to("draining");
    this.#drainingSince = monotonicMs();
    this.#endsBecause = reason;
    this.#lifespan.stop();
    this.#wear.stop();
    this.#surroundings.close();
    this.#retirement?.close();
    this.#started.reject(error ?? new BrokerError("draining", `The broker ends: ${reason}.`));
    this.#runDown(ending)
      .catch((error: unknown) => trace("error", "broker.badEnd", { error: String(error) }))
      .finally(() => {
        this.#health.close();
        this.#ended.resolve();
      });
    return this.ended;
  }

  async welcome(hello: BrokerHelloParams | undefined): Promise<unknown> {
    this.#wear.sessionOpened();
    if (hello === undefined) await this.started.catch(unlessDraining);
    const drift = hello === undefined ? undefined : await this.#checked();
    const result = this.#appServer.started?.initializeResult ?? {
      codexHome: this.#order.scope.codexHome,
    };
    return hello === undefined ? result : { ...result, broker: this.#hello(hello.nonce, drift) };
  }

  async health(): Promise<{ state: BrokerState; appServer: AppServerFacts }> {
    await this.#health.check(HELLO_PROBE_WAIT_MS);
    return { state: this.#state.state, appServer: this.#appServerFacts() };
  }

  turns(): ReturnType<Router["turns"]> {
    return this.#router.turns();
  }

  unqueue(from: Peer, { threadId, ticket }: UnqueueParams): number {
    return this.#router.unqueue(from, threadId, ticket);
  }

  stop(force: boolean): { state: BrokerState; turns: number } {
    const turns = this.#router.turnCount;
    // After this answer is on its way.
    const reason = force ? "stopped by force" : "stopped";
    const interruptAfterMs = this.#order.limits.drainTimeoutMs;
    setImmediate(() => void this.end({ reason, force, interruptAfterMs }));
    return { state: "draining", turns };
  }

  status(): BrokerStatus {
    const { scope, claim } = this.#order;
    return {
      scope: scope.key,
      workspace: scope.workspace,
      stateDir: scope.stateDir,
      epoch: claim.epoch,
      instance: this.#record.instance,
      state: this.#state.state,
      pid: process.pid,
      startedAt: this.#record.startedAt,
      endsWithHost: this.#ties.endsWithHost,
      endpoint: this.#listener?.endpoint.address ?? "",
      versions: this.#versions(),
      appServer: this.#appServerFacts(),
      sessions: this.#reception.status(),
      disconnected: this.#reception.disconnected(),
      threads: this.#router.threadCount,
      turns: this.#router.turns(),
      drain: this.#drain(),
      jobs: this.jobs.running(),
      usage: this.#wear.usage(),
      figures: this.#wear.figures(),
    };
  }

  #drain(): BrokerStatus["drain"] {
    if (this.#drainingSince === undefined) return null;
    const forMs = Math.round(monotonicMs() - this.#drainingSince);
    const left = this.#drainLimit.remainingMs;
    return { forMs, limitMs: left === null ? null : Math.round(forMs + left) };
  }

  async #startAppServer(): Promise<void> {
    const { scope } = this.#order;
    const { instance } = this.#record;
    const askedAt = monotonicMs();
    try {
      const appServer = await this.#appServer.start({
        codex: scope.codex,
        args: this.#order.appServerArguments ?? [],
        cwd: neutralDirectory(),
        env: appServerEnvironment(process.env, this.#order, instance),
        ownership: { instance, findLiving: () => this.#livingRecords.find() },
        maxLineBytes: MAX_ANSWER_BYTES,
        deadline: Deadline.after(APP_SERVER_START_MS),
        onSpawned: (pid) => this.#record.publishAppServer(pid),
        onLine: (line) => this.#router.upstream.receive(line),
        onOversized: (head, limitBytes) => this.#router.upstream.receiveOversized(head, limitBytes),
        onFault: (fault) => this.#appServerFailed(`speaks nonsense: ${fault.message}`),
      });
      this.#appServerStarted(appServer, monotonicMs() - askedAt);
    } catch (thrown) {
      // A broker that has begun to end has stopped its app-server itself, for another reason.
      if (!this.#state.is("starting")) return;
      const error = asBrokerError(thrown, "appServerStartFailed");
      // First of all: whoever finds the broker ending must find the reason too.
      this.#record.publishObituary(this.#end({ reason: error.message, error }));
      this.#started.reject(error);
      await this.end({ reason: error.message, error, force: true });
    }
  }

  #appServerStarted(appServer: StartedAppServer, afterMs: number): void {
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
    this.#health.workBegan();
    this.#lifespan.begin();
    this.#surroundings.started();
    this.#wear.begin(child, afterMs);
    setTimeout(() => {
      if (!this.#state.is("stopping", "ended")) this.#watchOverLoop();
    }, FIRST_CLIENT_MS);
    this.#retirement = new Retirement(this.#scopeDir, this.#order.claim.epoch);
  }

  /** At the latest when it shuts down, which must not take for ever either. */
  #watchOverLoop(): Watchdog {
    this.#watchdog ??= new Watchdog(this.#record.path, () => ({
      ...this.#record.obituary(this.#end({ reason: "it hung" })),
      abnormal: true,
    }));
    return this.#watchdog;
  }

  /** What is new begins at a successor, other turns finish here, and then this one ends with the rest. */
  #turnStuck(threadId: string): void {
    this.jobs.stuck(threadId);
    const reason = `a turn on thread ${threadId} went on though it was interrupted`;
    void this.end({ reason, reconnect: true });
  }

  /** It may only be slow: what runs goes on, what is new begins at a successor. */
  #appServerSilent(): void {
    const error = this.#appServerError("has not answered for some seconds");
    void this.end({ reason: error.message, error, reconnect: true });
  }

  /** It runs, but is of no use any more. */
  #appServerFailed(how: string): void {
    const error = this.#appServerError(how);
    this.#router.lose(error);
    void this.end({ reason: error.message, error, force: true });
  }

  #appServerError(how: string): BrokerError {
    const pid = this.#appServer.child?.pid;
    const message = `The app-server (process ${String(pid)}) ${how}.`;
    return new BrokerError("appServerExited", message, { details: { pid } });
  }

  #workChanged(): void {
    this.#changes.notify();
    if (this.#router.turnCount > 0) this.#health.workBegan();
    this.#wear.workChanged();
    this.#lifespan.workChanged();
  }

  #runDown(ending: Ending): Promise<void> {
    return runDown(
      {
        state: this.#state,
        router: this.#router,
        reception: this.#reception,
        changes: this.#changes,
        descendants: this.#descendants,
        jobs: this.jobs,
        drainLimit: this.#drainLimit,
        listener: () => this.#listener,
        watchdog: () => (this.#appServer.child === undefined ? undefined : this.#watchOverLoop()),
        appServer: this.#appServer,
        writeObituary: (exit) => this.#record.publishObituary({ ...this.#end(ending), exit }),
      },
      ending,
    );
  }

  #end(ending: Ending): End {
    const served = this.#appServer.started !== undefined;
    return { ...ending, served, figures: this.#wear.figures() };
  }

  /** Makes sure that the app-server answers. @returns what has changed since the start, if anything. */
  async #checked(): Promise<string | undefined> {
    if (!this.#state.is("serving")) return undefined;
    const [drift] = await Promise.all([
      this.#surroundings.drift(HELLO_PROBE_WAIT_MS),
      this.#health.check(HELLO_PROBE_WAIT_MS),
    ]);
    return drift;
  }

  #hello(nonce: string, drift: string | undefined): BrokerHello {
    return {
      protocol: BROKER_PROTOCOL,
      instance: this.#record.instance,
      epoch: this.#order.claim.epoch,
      state: this.#state.state,
      proof: proofOf(this.#order.claim.token, nonce),
      pid: process.pid,
      startedAt: this.#record.startedAt,
      versions: this.#versions(),
      appServer: this.#appServerFacts(),
      drift: drift ?? null,
    };
  }

  #versions(): Versions {
    const codex = this.#appServer.started?.version ?? null;
    return { broker: BROKER_VERSION, build: BROKER_BUILD, node: process.versions.node, codex };
  }

  #appServerFacts(): AppServerFacts {
    const ago = this.#router.upstream.lastAnswerMsAgo;
    return {
      pid: this.#appServer.started?.child.pid ?? null,
      version: this.#appServer.started?.version ?? null,
      lastAnswerMsAgo: ago === null ? null : Math.round(ago),
      unansweredMs: this.#health.unansweredMs,
    };
  }
}

/** Superseded while it started: whoever is here already is let in, and told where to go. */
function unlessDraining(error: unknown): void {
  if (!BrokerError.is(error) || error.kind !== "draining") throw error;
}
