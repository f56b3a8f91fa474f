import { randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  renameSync,
} from "node:fs";
import { join } from "node:path";
import { monotonicMs } from "../../src/base/deadline.ts";
import {
  epochLogPath,
  listEpochs,
  readEpoch,
  type EpochRecord,
} from "../../src/lifecycle/epoch-file.ts";
import { resolveScope } from "../../src/lifecycle/scope.ts";
import { readStat } from "../../src/os/proc-stat.ts";
import type { BrokerStatus } from "../../src/wire/broker-protocol.ts";
import { eventually } from "../support/eventually.ts";
import { markedProcesses, type MarkedProcess } from "../support/marked-processes.ts";
import { livingBrokers, stopBrokers } from "../support/stop-brokers.ts";
import { makeWorld, type World, type WorldOptions } from "../support/world.ts";
import { Bystanders } from "./bystanders.ts";
import { ClientProcess, type Ask } from "./client-process.ts";
import { firedPath, PLAN_VARIABLE, type FaultPlan } from "./plan.ts";

/** The variable by which every process of one stage is known. It does not count for the scope. */
const MARK = "BROKER_FAULT_STAGE";
const STRUCK_WITHIN_MS = 60_000;

export interface ClientOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly wrapper?: string[];
}

/** Where one fault is brought about: clients, a broker, bystanders, and all that is seen of them. */
export class Stage implements AsyncDisposable {
  readonly world: World;
  readonly stateDir: string;
  readonly scopeDir: string;
  readonly bystanders: Bystanders;
  readonly clients: ClientProcess[] = [];
  /** Processes that only SIGCONT lets go on, and that nobody can prove meanwhile. */
  readonly sleepers: number[] = [];
  struckAt = Number.NaN;
  readonly #programs: string;
  readonly #mark: string;
  readonly #plan: string;
  #act: FaultPlan["act"] | undefined;

  private constructor(world: World, programs: string, mark: string) {
    this.world = world;
    this.#programs = programs;
    this.#mark = mark;
    this.#plan = join(world.stateDir, "..", "plan.json");
    this.stateDir = world.env["CODEX_BROKER_STATE_DIR"]!;
    this.scopeDir = resolveScope({ cwd: world.workspace, env: world.env }).directory;
    this.bystanders = new Bystanders();
  }

  static async open(programs: string, options: WorldOptions): Promise<Stage> {
    const mark = randomUUID();
    const world = await makeWorld({ ...options, env: { ...options.env, [MARK]: mark } });
    return new Stage(world, programs, mark);
  }

  get workspace(): string {
    return this.world.workspace;
  }

  get runDir(): string {
    return join(this.stateDir, "run");
  }

  /** A client that has nothing left to do but to ask. */
  async client(options: ClientOptions = {}): Promise<ClientProcess> {
    const env = { ...this.world.env, [PLAN_VARIABLE]: this.#plan, ...options.env };
    const program = join(this.#programs, "client.js");
    const client = new ClientProcess(program, this.workspace, env, options.wrapper);
    this.clients.push(client);
    await client.ready;
    return client;
  }

  /** Nobody sees half a plan. */
  arm(plan: FaultPlan): void {
    this.#act = plan.act;
    writeFileSync(`${this.#plan}.aside`, JSON.stringify(plan));
    renameSync(`${this.#plan}.aside`, this.#plan);
  }

  /** Resolves with the pid of the process that has struck itself. */
  async fired(): Promise<number> {
    const file = firedPath(this.#plan);
    await eventually(() => existsSync(file), "the fail point is reached", STRUCK_WITHIN_MS);
    this.struck();
    const pid = Number(readFileSync(file, "utf8"));
    const client = this.clients.find((each) => each.pid === pid);
    if (client !== undefined && this.#act?.kind === "kill") client.killed = true;
    return pid;
  }

  /** The fault is there: from now on the clock runs. */
  struck(): void {
    if (Number.isNaN(this.struckAt)) this.struckAt = monotonicMs();
  }

  record(epoch: number): EpochRecord | undefined {
    const reading = readEpoch(this.scopeDir, epoch);
    return reading?.state === "read" ? reading.record : undefined;
  }

  get epochs(): number[] {
    return listEpochs(this.scopeDir);
  }

  /** How the epochs went, for whoever must find out what went wrong. */
  history(): string[] {
    return this.epochs.map((epoch) => {
      const record = this.record(epoch);
      const why = record?.state === "ended" ? `: ${record.reason}` : "";
      return `epoch ${epoch}: ${record?.state ?? "unreadable"}${why}`;
    });
  }

  /** What the brokers had to say, for the same. */
  logs(): string[] {
    return this.epochs.toReversed().flatMap((epoch) => {
      const file = epochLogPath(this.scopeDir, epoch);
      const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
      return lines.map((line) => `log of epoch ${epoch}: ${line}`);
    });
  }

  async status(client: ClientProcess): Promise<BrokerStatus> {
    const settled = await client.request("broker/status").settled;
    if (settled.kind !== "answered") throw new Error(`no status: ${JSON.stringify(settled)}`);
    return JSON.parse(settled.text) as BrokerStatus;
  }

  /** A client whose broker serves, and strangers that look like this broker and its app-server. */
  async served(options: ClientOptions = {}): Promise<Served> {
    const client = await this.client(options);
    await client.connect().settled;
    const { pid, appServer, epoch } = await this.status(client);
    const home = join(this.workspace, "..", "stranger");
    mkdirSync(home, { recursive: true });
    await this.bystanders.placeBeside(client, pid, appServer.pid ?? 0, home);
    return { client, broker: pid, appServer: appServer.pid ?? 0, epoch };
  }

  /** The same, in the middle of a turn. */
  async busy(options: ClientOptions = {}): Promise<Served & { readonly turn: Ask }> {
    const served = await this.served(options);
    const turn = served.client.turn(SLOW_TURN);
    await turn.begun;
    return { ...served, turn };
  }

  isGone(pid: number): boolean {
    return ["Z", "X", undefined].includes(readStat(pid)?.state);
  }

  async untilStopped(pid: number): Promise<void> {
    await eventually(() => readStat(pid)?.state === "T", `process ${pid} stops`);
  }

  /** Whatever runs beyond the clients, the bystanders, and one broker with what it has started. */
  async superfluous(): Promise<readonly MarkedProcess[]> {
    const [current] = livingBrokers(this.stateDir).toSorted((a, b) => b.epoch - a.epoch);
    const all = await this.processes();
    return current === undefined ? all : all.filter(({ pid }) => !isBelow(current.broker.pid, pid));
  }

  /** Without clients and bystanders. */
  async processes(): Promise<readonly MarkedProcess[]> {
    const all = await markedProcesses({ variable: `${MARK}=${this.#mark}`, dirs: [] });
    const known = new Set([...this.clients.map(({ pid }) => pid), ...this.bystanders.pids]);
    return all.filter(({ pid }) => !known.has(pid));
  }

  /** What no living broker needs: sockets, links and temporaries. */
  filesLeft(): string[] {
    const needed = new Set<string | null>(
      livingBrokers(this.stateDir).flatMap(({ endpoint, current }) => [endpoint, current]),
    );
    const names = (directory: string): string[] =>
      existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
    const temporaries = names(this.scopeDir).filter((name) => !/\/\d+\.(json|log)$/.test(name));
    return [...names(this.runDir), ...temporaries].filter((name) => !needed.has(name));
  }

  async stopBrokers(): Promise<void> {
    await stopBrokers(this.stateDir);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.clients.map((client) => client.leave()));
    this.bystanders.end();
    try {
      await this.stopBrokers();
    } finally {
      // Known by a mark that nobody else has.
      for (const { pid } of await this.processes()) endIfThere(pid);
      await this.world[Symbol.asyncDispose]();
    }
  }
}

export interface Served {
  readonly client: ClientProcess;
  readonly broker: number;
  readonly appServer: number;
  readonly epoch: number;
}

/** Lasts 3 s. Whoever gets its end gets all of it. */
export const SLOW_TURN = "slow: 60x50ms tick";
export const SLOW_TURN_END = "tick 60";

function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function isBelow(ancestor: number, pid: number): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = readStat(at)?.ppid) {
    if (at === ancestor) return true;
  }
  return false;
}
