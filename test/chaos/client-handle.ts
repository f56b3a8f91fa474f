import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { deferred, type Deferred } from "../../src/base/deferred.ts";
import type { Order, Result } from "./orders.ts";
import { KILLED_WITH_ITS_CLIENT } from "./verdict.ts";

/** A client program that runs. */
export class ClientHandle {
  readonly kind: "ours" | "raw";
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Deferred<Result>>();
  readonly #ready = deferred<void>();
  readonly #ended: Promise<unknown>;

  constructor(program: string, kind: "ours" | "raw", place: string, env: NodeJS.ProcessEnv) {
    this.kind = kind;
    const child = spawn(process.execPath, [program, kind, place], {
      env,
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child = child;
    this.#ended = once(child, "close");
    child.stdin.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(line));
    void this.#ended.then(() => {
      this.#ready.resolve();
      for (const [id, result] of this.#waiting) {
        result.resolve({ id, outcome: KILLED_WITH_ITS_CLIENT });
      }
    });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  async carryOut(order: Order): Promise<Result> {
    const result = deferred<Result>();
    this.#waiting.set(order.id, result);
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      result.resolve({ id: order.id, outcome: KILLED_WITH_ITS_CLIENT });
    }
    return await result.promise;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async end(): Promise<void> {
    this.#child.kill("SIGCONT");
    this.#child.stdin?.end();
    await this.#ended;
  }

  #hear(line: string): void {
    const result = JSON.parse(line) as Result;
    if (result.id === 0) return this.#ready.resolve();
    this.#waiting.get(result.id)?.resolve(result);
    this.#waiting.delete(result.id);
  }
}
