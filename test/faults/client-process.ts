import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { Deadline, monotonicMs } from "../../src/base/deadline.ts";
import { deferred, type Deferred } from "../../src/base/deferred.ts";
import type { Order, Settled, Told } from "./client-orders.ts";

const READY_WITHIN_MS = 60_000;

type Wish = Order extends infer Each ? (Each extends Order ? Omit<Each, "id"> : never) : never;

/** One order that a client was given. */
export interface Ask {
  readonly wish: Wish;
  readonly client: ClientProcess;
  readonly begun: Promise<void>;
  readonly settled: Promise<Settled>;
  /** How it was settled, if it was. */
  readonly outcome: () => Settled | undefined;
  /** From the order to its end. */
  readonly ms: () => number;
}

/** A client program that runs, and everything that it was ever asked. */
export class ClientProcess {
  readonly asks: Ask[] = [];
  readonly pid: number;
  /** It has loaded the library and waits for orders. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  /** We have killed it: what it was asked is answered to nobody. */
  killed = false;
  stderr = "";
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { begun: Deferred<void>; settled: Deferred<Settled> }>();
  #nextId = 1;

  /** @param wrapper what stands before the program: a shell with a limit, or one that gives up rights. */
  constructor(program: string, workspace: string, env: NodeJS.ProcessEnv, wrapper: string[] = []) {
    const [command, ...args] = [...wrapper, process.execPath, program, workspace];
    const child = spawn(command, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.stdin.on("error", () => {});
    child.stderr.on("data", (chunk: Buffer) => (this.stderr += chunk.toString("utf8")));
    const ready = deferred<void>();
    const ended = deferred<void>();
    this.ready = Deadline.after(READY_WITHIN_MS).race(
      ready.promise,
      () => new Error(`the client does not get ready: ${this.stderr}`),
    );
    this.ended = ended.promise;
    this.ready.catch(() => {});
    child.once("error", ready.reject);
    child.once("exit", () => {
      ended.resolve();
      const gone: Settled = { kind: "untyped", message: "the client ended" };
      for (const { settled } of this.#waiting.values()) settled.resolve(gone);
      ready.reject(new Error(`the client ended: ${this.stderr}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      const told = JSON.parse(line) as Told;
      if ("ready" in told) return ready.resolve();
      const waiting = this.#waiting.get(told.id);
      if ("begun" in told) return waiting?.begun.resolve();
      waiting?.settled.resolve(told.settled);
    });
  }

  turn(prompt: string): Ask {
    return this.ask({ do: "turn", prompt });
  }

  connect(options: Extract<Wish, { do: "connect" }>["options"] = {}): Ask {
    return this.ask({ do: "connect", options });
  }

  request(method: string, params: unknown = {}): Ask {
    return this.ask({ do: "request", method, params });
  }

  ask(wish: Wish): Ask {
    const id = this.#nextId++;
    const begun = deferred<void>();
    const settled = deferred<Settled>();
    this.#waiting.set(id, { begun, settled });
    const at = monotonicMs();
    let outcome: Settled | undefined;
    let endedAt = Number.NaN;
    void settled.promise.then((value) => {
      outcome = value;
      endedAt = monotonicMs();
      begun.resolve();
    });
    this.#child.stdin?.write(`${JSON.stringify({ id, ...wish })}\n`);
    const ask: Ask = {
      wish,
      client: this,
      begun: begun.promise,
      settled: settled.promise,
      outcome: () => outcome,
      ms: () => endedAt - at,
    };
    this.asks.push(ask);
    return ask;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  kill(): void {
    this.killed = true;
    this.#child.kill("SIGKILL");
  }

  /** Tells it to end; one that does not is killed. */
  async leave(withinMs = 5_000): Promise<void> {
    this.#child.kill("SIGCONT");
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), withinMs);
    await this.ended;
    clearTimeout(timer);
  }
}
