import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { BrokerError, messageOf } from "../base/errors.ts";
import { deferred } from "../base/deferred.ts";
import { trace } from "../base/trace.ts";
import type { Line } from "../wire/line.ts";
import { LineChannel } from "../wire/line-channel.ts";
import { Descendants } from "./descendants.ts";
import type { Ownership } from "./ownership.ts";
import { StderrTail } from "./stderr-tail.ts";
import { objectOnLine } from "./stdout-line.ts";

export interface SpawnOptions {
  /** Absolute path of a program; never looked up in PATH and never given to a shell. */
  readonly codex: string;
  /** What follows the program. `["app-server"]` unless given. */
  readonly args?: readonly string[];
  /** The whole environment of the child: nothing is added to it. */
  readonly env: NodeJS.ProcessEnv;
  /** A neutral directory: a child in a workspace would keep it from being removed. */
  readonly cwd: string;
  /** One JSON object a line, as it came and without its newline, up to the last one before the exit. */
  readonly onLine: (line: Buffer) => void;
  /** What a message over the limit begins with. @returns whether it is known what it was. */
  readonly onOversized?: (head: Buffer, limitBytes: number) => boolean;
  /** Called at most once, when it lives but can no longer be talked to, or never could. */
  readonly onFault?: (fault: BrokerError) => void;
  readonly maxLineBytes: number;
  /** Without it, all that is below the process counts as its own. */
  readonly ownership?: Ownership;
}

/** How the child ended. Ended by a signal means a null code, and a null code is never success. */
export interface AppServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderrTail: string;
  /** Set when there never was a process. */
  readonly spawnError?: Error;
}

/**
 * After the exit, its last lines are still in the pipe and are read within one turn of the event loop.
 * More than that is only waited for because `close` tells when there is nothing more, and not for
 * long, because a descendant that inherited the pipe keeps `close` from ever coming.
 */
const LAST_WORDS_MS = 100;

/** A child that ends closes its pipes a moment before it exits; one that lives on without them is mute. */
const MUTE_AFTER_MS = 1_000;

/** Noise lines in a row. A banner has a few; something that says nothing else is no app-server. */
const MAX_NOISE_LINES = 200;

/** How much of a noise line may stand in an error. */
const SAMPLE_CHARS = 200;

/**
 * The `codex app-server` process and its three pipes.
 *
 * It needs no raised descriptor limit of its own: Node raises its soft limit to the hard one when it
 * starts, and the child inherits that (`child.test.ts` reads it back).
 */
export class AppServerChild {
  /** Its MCP servers, shell calls and what these started. */
  readonly descendants: Descendants;
  readonly #options: SpawnOptions;
  readonly #process: ChildProcess | undefined;
  readonly #channel: LineChannel | undefined;
  readonly #stderr = new StderrTail();
  readonly #exited = deferred<AppServerExit>();
  #noiseLines = 0;
  #noiseInARow = 0;
  #faulted = false;
  #ending = false;
  #exit: AppServerExit | undefined;

  private constructor(options: SpawnOptions) {
    this.#options = options;
    try {
      this.#process = this.#start();
    } catch (error) {
      // Some failures are thrown (a `.cmd`, a name with a null byte), most are emitted.
      this.#settle({ spawnError: error instanceof Error ? error : new Error(messageOf(error)) });
    }
    this.descendants = new Descendants(this.#process?.pid, options.ownership);
    if (this.#process !== undefined) this.#channel = this.#listen(this.#process);
  }

  /** Never throws: a child that could not be started has already ended, with a `spawnError`. */
  static spawn(options: SpawnOptions): AppServerChild {
    return new AppServerChild(options);
  }

  /** Undefined when it could not be started. Stays after the end, when it may name another process. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Settles on the exit itself, after the last lines that it wrote have been delivered. Never rejects. */
  get exited(): Promise<AppServerExit> {
    return this.#exited.promise;
  }

  /** What `exited` settles with, once it has. */
  get exit(): AppServerExit | undefined {
    return this.#exit;
  }

  /** Bytes that were sent and not yet taken. Grows without a bound when the child does not read. */
  get queuedBytes(): number {
    return this.#channel?.queuedBytes ?? 0;
  }

  /** Lines on stdout that were no message, since the start. */
  get noiseLines(): number {
    return this.#noiseLines;
  }

  /** Sends one message; lost silently when the child has ended, which `exited` reports. */
  send(line: Line): void {
    this.#channel?.send(line);
  }

  /** Closes stdin after what is queued, which an app-server takes as the order to end. */
  end(): void {
    this.#ending = true;
    this.#channel?.finish();
  }

  /** Signals the process through the handle of its parent: it cannot reach another one. */
  kill(signal: NodeJS.Signals): void {
    try {
      this.#process?.kill(signal);
    } catch (error) {
      trace("warn", "appServer.notSignalled", { signal, message: messageOf(error) });
    }
  }

  #start(): ChildProcess {
    const { codex, args = ["app-server"], cwd, env } = this.#options;
    return spawn(codex, args, {
      cwd,
      env,
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
      shell: false,
      detached: false,
    });
  }

  #listen(child: ChildProcess): LineChannel | undefined {
    child.on("error", (error) => {
      if (child.pid === undefined) return this.#settle({ spawnError: error });
      trace("warn", "appServer.processError", { message: error.message });
    });
    child.once("exit", (code, signal) => this.#afterExit(child, code, signal));

    // When descriptors have run out there are no pipes at all, whatever the types say.
    const { stdin, stdout, stderr } = child as Partial<ChildProcess>;
    stderr?.on("error", ignore);
    stderr?.on("data", (chunk: Buffer) => this.#stderr.push(chunk));
    return stdin && stdout ? this.#openChannel(stdin, stdout) : undefined;
  }

  #openChannel(writable: Writable, readable: Readable): LineChannel {
    const { maxLineBytes } = this.#options;
    return new LineChannel(
      { readable, writable },
      {
        onLine: (line) => this.#receive(line),
        onOversizedLine: (limit, head) => this.#oversized(limit, head),
        onEnd: () => this.#expectExit(),
      },
      maxLineBytes,
    );
  }

  #receive(line: Buffer): void {
    const message = objectOnLine(line);
    if (message !== undefined) {
      this.#noiseInARow = 0;
      return this.#options.onLine(message);
    }
    this.#noise(line);
  }

  #noise(line: Buffer): void {
    this.#noiseLines += 1;
    this.#noiseInARow += 1;
    const sample = line.toString("utf8").slice(0, SAMPLE_CHARS);
    trace("debug", "appServer.noise", { sample });
    if (this.#noiseInARow > MAX_NOISE_LINES) {
      this.#fault(`sent ${this.#noiseInARow} lines in a row that are no messages`, { sample });
    }
  }

  #oversized(limitBytes: number, head: Buffer): void {
    if (objectOnLine(head) === undefined) return this.#noise(head);
    if (this.#options.onOversized?.(head, limitBytes) === true) return;
    this.#fault(`sent a line of more than ${limitBytes} bytes`, { maxLineBytes: limitBytes });
  }

  /** A lost pipe is the loss of the process, whose exit says more; unless there is none. */
  #expectExit(): void {
    const timer = setTimeout(() => {
      if (!this.#ending) this.#fault("has closed a pipe to us and lives on");
    }, MUTE_AFTER_MS);
    void this.exited.then(() => clearTimeout(timer));
  }

  #fault(what: string, details: Readonly<Record<string, unknown>> = {}): void {
    if (this.#faulted) return;
    this.#faulted = true;
    const { codex } = this.#options;
    this.#options.onFault?.(
      new BrokerError("invalidAnswer", `${codex} ${what}.`, { details: { codex, ...details } }),
    );
  }

  #afterExit(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    const settle = (): void => {
      clearTimeout(timer);
      // Our ends only; a descendant that still writes gets a broken pipe.
      child.stdout?.destroy();
      child.stderr?.destroy();
      this.#settle({ code, signal });
    };
    // A timer that is late because the event loop was busy must not come before what is to be read.
    const timer = setTimeout(() => setImmediate(settle), LAST_WORDS_MS);
    child.once("close", settle);
  }

  #settle(how: Partial<AppServerExit>): void {
    this.#exit ??= { code: null, signal: null, stderrTail: this.#stderr.text, ...how };
    this.#exited.resolve(this.#exit);
  }
}

function ignore(): void {}
