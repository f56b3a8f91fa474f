import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connectBroker } from "../../src/index.ts";
import { EXIT } from "../../src/base/errors.ts";
import { Deadline, monotonicMs, pause } from "../../src/base/deadline.ts";
import type { ServingRecord } from "../../src/lifecycle/epoch-file.ts";
import type { ProcessIdentity } from "../../src/os/process-identity.ts";
import { LeakWatch } from "../support/leak-watch.ts";
import { runNode } from "../support/node-process.ts";
import { Stranger } from "../stranger/stranger.ts";
import { ClientHandle } from "./client-handle.ts";
import { Ground } from "./ground.ts";
import type { Order, Result } from "./orders.ts";
import { isFault, scheduleOf, type FaultKind, type Operation, type WorkKind } from "./schedule.ts";
import { Tally } from "./tally.ts";
import { AFTERMATH_MS, isAllowed, isGoodEnd, KILLED_WITH_ITS_CLIENT } from "./verdict.ts";
import { eventually } from "../support/eventually.ts";

const CLIENTS = 6;
/** More work than that at once only waits for the machine. */
const MOST_AT_ONCE = 12;
/** Work without an outcome by then is a wait without an end. */
const OUTCOME_WITHIN_MS = 90_000;
/** A stopped broker is ended by proof after 30 s of silence; these wake up before or after their successor came. */
const LONGEST_STOP_MS = 12_000;
/** Every so many operations all work ends, and one broker must be left. */
const OPERATIONS_TO_A_REST = 150;
const AT_REST_WITHIN_MS = 60_000;
/** Obituaries that a scope keeps, and the newest. */
const MOST_EPOCHS = 21;
/** A broker clears up at its first look, a second after its start. */
const CLEARED_WITHIN_MS = 10_000;
const STRANGERS = 3;
const COMMANDS: readonly (readonly string[])[] = [
  ["status"],
  ["ps"],
  ["ensure"],
  ["doctor"],
  ["run"],
];

export interface ChaosOptions {
  /** The project's root directory. */
  readonly root: string;
  readonly seed: number;
  readonly forMs: number;
  readonly codex: "real" | "fake";
  readonly kinds: readonly (WorkKind | FaultKind)[];
  readonly say: (what: string) => void;
}

interface Fault {
  readonly kind: FaultKind;
  readonly from: number;
  to: number;
}

/** Lets it all happen, and checks at every moment what must hold. */
export async function holdChaos(options: ChaosOptions): Promise<Tally> {
  const tally = new Tally();
  const watch = new LeakWatch();
  const strangers = await Promise.all(Array.from({ length: STRANGERS }, () => Stranger.start()));
  try {
    await using ground = await Ground.make(options.codex, options.root);
    const chaos = new Chaos(options, ground, tally);
    await chaos.run();
  } catch (error) {
    tally.violation(`it could not be held to its end: ${String(error)}`);
  }
  for (const stranger of strangers) {
    for (const heard of await stranger.leave()) tally.violation(`a bystander: ${heard}`);
  }
  for (const leak of await watch.finish()) tally.violation(leak);
  return tally;
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #ground: Ground;
  readonly #tally: Tally;
  readonly #clients: ClientHandle[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #faults: Fault[] = [];
  /** Threads that had a turn and are idle. */
  readonly #threads: string[] = [];
  #path = "";

  constructor(options: ChaosOptions, ground: Ground, tally: Tally) {
    this.#options = options;
    this.#ground = ground;
    this.#tally = tally;
  }

  async run(): Promise<void> {
    const { seed, kinds, forMs } = this.#options;
    await this.#begin();
    const deadline = Deadline.after(forMs);
    for (const operation of scheduleOf(seed, kinds)) {
      if (deadline.expired) break;
      await pause(operation.afterMs);
      while (this.#underWay.size >= MOST_AT_ONCE) await Promise.race(this.#underWay);
      const done = this.#do(operation)
        .catch((error: unknown) => {
          this.#tally.violation(`${operation.number} ${operation.kind}: ${String(error)}`);
        })
        .finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
      if (operation.number % OPERATIONS_TO_A_REST === 0) await this.#rest();
    }
    await this.#rest();
    await this.#end();
  }

  async #begin(): Promise<void> {
    const { workspace: cwd, env } = this.#ground.world;
    const client = await connectBroker({ cwd, env });
    this.#path = client.record.current ?? "";
    client.close();
    for (let slot = 0; slot < CLIENTS; slot += 1) this.#clients.push(this.#startClient(slot));
    await Promise.all(this.#clients.map(({ ready }) => ready));
  }

  #startClient(slot: number): ClientHandle {
    const { workspace, env } = this.#ground.world;
    const program = join(this.#options.root, "build/chaos/client.js");
    return slot % 2 === 0
      ? new ClientHandle(program, "ours", workspace, env)
      : new ClientHandle(program, "raw", this.#path, env);
  }

  async #do(operation: Operation): Promise<void> {
    const { kind } = operation;
    if (isFault(kind)) return await this.#fault(kind, operation);
    const slot = Math.floor(operation.who * CLIENTS);
    const client = this.#clients[slot];
    if (client === undefined) return;
    const from = monotonicMs();
    this.#tally.did(operation, kind === "command" ? "" : `by ${slot}, ${client.kind}`);
    const late = { id: operation.number, outcome: "overdue" };
    const work = kind === "command" ? this.#command(operation) : this.#work(client, operation);
    const result = await Promise.race([work, pause(OUTCOME_WITHIN_MS).then(() => late)]);
    this.#judge(kind, operation, result, from, client);
  }

  #judge(
    kind: WorkKind,
    { number }: Operation,
    { outcome, detail, refused, threadId }: Result,
    from: number,
    client: ClientHandle,
  ): void {
    this.#tally.outcome(kind, outcome);
    if (threadId !== undefined && outcome === "completed") this.#threads.push(threadId);
    const about = this.#aboutSince(from);
    const allowed =
      outcome === KILLED_WITH_ITS_CLIENT
        ? about.has("client killed")
        : isAllowed(kind, outcome, about);
    if (!isGoodEnd(kind, outcome)) {
      const ms = Math.round(monotonicMs() - from);
      const faults = [...about].join(", ");
      const what = `${number} ${kind} by ${client.kind}: ${outcome} after ${ms} ms (${faults}) ${detail ?? ""}`;
      this.#options.say(what);
      if (!allowed) this.#tally.violation(what);
    }
    if (refused === undefined || refused.length === 0) return;
    const explained = [...about].some((fault) => !HARMLESS_TO_THE_PATH.has(fault));
    this.#tally.refused[explained ? "explained" : "unexplained"] += refused.length;
    if (!explained) this.#tally.violation(`${number} ${kind}: refused, ${refused.join(", ")}`);
  }

  #aboutSince(from: number): Set<FaultKind> {
    const felt = this.#faults.filter(({ to }) => to + AFTERMATH_MS >= from);
    return new Set(felt.map(({ kind }) => kind));
  }

  async #work(client: ClientHandle, operation: Operation): Promise<Result> {
    return await client.carryOut(this.#orderFor(operation));
  }

  #orderFor({ number: id, kind, howLong, howMuch }: Operation): Order {
    const ticks = 1 + Math.floor(howMuch * 30);
    const expected = Array.from({ length: ticks }, (_, index) => `op${id} ${index + 1}`).join(" ");
    const turn = {
      id,
      do: "turn",
      prompt: `slow: ${ticks}x${Math.ceil(howLong * 50)}ms op${id}`,
    } as const;
    const endless = { ...turn, prompt: `slow: 400x50ms op${id}` };
    const afterMs = Math.round(howLong * 500);
    const said = `op${id} ${"word ".repeat(ticks)}`.trim();
    switch (kind) {
      case "request":
        return { id, do: "request" };
      case "interrupt":
        return { ...endless, interruptAfterMs: afterMs };
      case "departure in a turn":
        return { ...endless, leaveAfterMs: afterMs };
      case "approval":
        return { ...turn, prompt: `shell-ask: echo ${id} ;; say: ${said}`, expected: said };
      case "turn on the same thread": {
        const threadId = this.#threads.shift();
        return { ...turn, expected, ...(threadId === undefined ? {} : { threadId }) };
      }
      default:
        return howLong < 0.5
          ? { ...turn, prompt: `say: ${said}`, expected: said }
          : { ...turn, expected };
    }
  }

  async #command({ number: id, who }: Operation): Promise<Result> {
    const { root } = this.#options;
    const { workspace, env } = this.#ground.world;
    const [verb = "", ...rest] = COMMANDS[Math.floor(who * COMMANDS.length)] ?? [];
    const words = verb === "run" ? ["--json", `say: op${id}`] : ["--json", ...rest];
    const { code, stdout, stderr } = await runNode(
      [join(root, "dist/cli.cjs"), verb, ...words],
      env,
      workspace,
    );
    const whole = verb !== "run" || stdout.includes(`"op${id}"`);
    // It has found something, as well it may.
    const good = code === EXIT.ok || (verb === "doctor" && code === EXIT.foundWrong);
    if (good) return { id, outcome: whole ? "completed" : "cut", detail: stdout };
    return { id, outcome: kindIn(stdout) ?? `exit ${String(code)}`, detail: stdout + stderr };
  }

  async #fault(kind: FaultKind, operation: Operation): Promise<void> {
    const ground = this.#ground;
    const broker = ground.broker();
    this.#tally.did(operation, broker === undefined ? "" : `at epoch ${broker.epoch}`);
    this.#tally.fault(kind);
    const fault: Fault = { kind, from: monotonicMs(), to: Infinity };
    this.#faults.push(fault);
    try {
      await this.#inflict(kind, operation, broker);
    } finally {
      fault.to = monotonicMs();
    }
  }

  async #inflict(
    kind: FaultKind,
    { number, who, howLong }: Operation,
    broker: ServingRecord | undefined,
  ): Promise<void> {
    const ground = this.#ground;
    const slot = Math.floor(who * CLIENTS);
    const stopMs = Math.round(howLong * LONGEST_STOP_MS);
    switch (kind) {
      case "rotation":
        return await this.#tolerantly(ground.rotate());
      case "config edited":
        return await ground.editConfig(number);
      case "codex replaced":
        return await ground.replaceCodex();
      case "current removed":
        return ground.removeCurrent();
      case "socket removed":
        return ground.removeSocket();
      case "record removed":
        return ground.removeRecord();
      case "broker killed":
        return void ground.signal(broker?.broker, "SIGKILL");
      case "app-server killed":
        return void ground.signal(broker?.appServer, "SIGKILL");
      case "broker stopped":
        return await this.#stopped(broker?.broker, stopMs);
      case "app-server stopped":
        return await this.#stopped(broker?.appServer, stopMs);
      case "client killed":
        this.#clients[slot]?.signal("SIGKILL");
        this.#clients[slot] = this.#startClient(slot);
        return;
      case "client stopped":
        this.#clients[slot]?.signal("SIGSTOP");
        await pause(stopMs / 4);
        this.#clients[slot]?.signal("SIGCONT");
        return;
      case "told to stop": {
        const args = [join(this.#options.root, "dist/cli.cjs"), "stop"];
        if (howLong < 0.3) args.push("--force");
        await runNode(args, ground.world.env, ground.world.workspace);
      }
    }
  }

  /** With other faults about, the rotation itself may fail as any other call. */
  async #tolerantly(rotation: Promise<void>): Promise<void> {
    const from = monotonicMs();
    try {
      await rotation;
    } catch (error) {
      const { kind = "unexpected" } = error as { kind?: string };
      if (isAllowed("request", kind, this.#aboutSince(from))) return;
      throw error;
    }
  }

  async #stopped(victim: ProcessIdentity | null | undefined, forMs: number): Promise<void> {
    if (!this.#ground.signal(victim, "SIGSTOP")) return;
    await pause(forMs);
    this.#ground.signal(victim, "SIGCONT");
  }

  /** Everybody finishes; then one broker is left, and it works. */
  async #rest(): Promise<void> {
    await Promise.all(this.#underWay);
    const living = await this.#ground.comesToRest(AT_REST_WITHIN_MS);
    if (living.length > 1) {
      const portraits = await Promise.all(living.map((each) => this.#ground.portray(each)));
      this.#tally.violation(`several brokers live on: ${portraits.join("\n")}`);
    }
    const { workspace: cwd, env } = this.#ground.world;
    const client = await connectBroker({ cwd, env });
    const { message } = await client.runTurn({ prompt: "say: at rest" }).result;
    client.close();
    if (message !== "at rest") this.#tally.violation(`at rest it said ${message}`);
    this.#tally.settled += 1;
  }

  async #end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
    const { world, scope } = this.#ground;
    const stop = [join(this.#options.root, "dist/cli.cjs"), "stop"];
    // What is left when the time is over is judged below.
    await eventually(
      () => epochFilesIn(readdirSync(scope.directory)).length <= MOST_EPOCHS,
      "the last broker has cleared up",
      CLEARED_WITHIN_MS,
    ).catch(() => {});
    const { code, stderr } = await runNode(stop, world.env, world.workspace);
    if (code !== 0) this.#tally.violation(`the last stop: ${stderr}`);
    const living = this.#ground.living();
    if (living.length > 0) this.#tally.violation(`${living.length} brokers outlive the last stop`);
    this.#tally.obituaries = this.#ground.obituaries();
    this.#judgeFiles(readdirSync(scope.directory), MOST_EPOCHS);
    const runDir = join(this.#path, "..");
    const sockets = readdirSync(runDir).filter((name) => name.includes(scope.key.slice(0, 12)));
    for (const name of sockets) this.#tally.violation(`left behind: ${name}`);
  }

  #judgeFiles(names: readonly string[], most: number): void {
    const epochs = epochFilesIn(names);
    if (epochs.length > most) this.#tally.violation(`${epochs.length} epoch files are left`);
    for (const name of names) {
      if (!/^(\d+\.(json|log)|figures\.json)$/.test(name)) {
        this.#tally.violation(`left behind: ${name}`);
      }
    }
  }
}

/** While nothing but these is about, the fixed path always leads to a broker. */
const HARMLESS_TO_THE_PATH: ReadonlySet<FaultKind> = new Set([
  "rotation",
  "config edited",
  "codex replaced",
  "client killed",
  "client stopped",
]);

function kindIn(stdout: string): string | undefined {
  return /"kind":\s*"(\w+)"/.exec(stdout)?.[1];
}

function epochFilesIn(names: readonly string[]): string[] {
  return names.filter((name) => /^\d+\.json$/.test(name));
}
