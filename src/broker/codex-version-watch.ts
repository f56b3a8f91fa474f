import { execFile } from "node:child_process";
import { open, realpath } from "node:fs/promises";
import { trace } from "../base/trace.ts";
import { neutralDirectory } from "../os/neutral-directory.ts";

const CHECK_EVERY_MS = 15_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Detects an update of Codex behind a script or a link that starts it under a fixed name, such as the
 * shims of version managers: their files stay the same, so the version that they report is compared.
 * A program that is itself at the path is compared by its file, without a process.
 */
export class CodexVersionWatch {
  readonly #codex: string;
  readonly #onDrift: (reason: string) => void;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #before: string | undefined;
  #reason: string | undefined;

  /** @param onDrift called once. */
  constructor(codex: string, onDrift: (reason: string) => void) {
    this.#codex = codex;
    this.#onDrift = onDrift;
  }

  /** What has changed, in words. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Begins with the version of now. Never rejects. */
  async begin(): Promise<void> {
    if (!(await startsAnother(this.#codex))) return;
    await this.#check();
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #check(): Promise<void> {
    const version = await this.#version();
    if (this.#closing.signal.aborted) return;
    this.#before ??= version;
    if (version !== undefined && version !== this.#before) {
      this.#reason = `codex was ${String(this.#before)} when the broker started and is ${version}`;
      return this.#onDrift(this.#reason);
    }
    this.#timer = setTimeout(() => void this.#check(), CHECK_EVERY_MS);
    this.#timer.unref();
  }

  /** Undefined where it reports none, as in the middle of an update. */
  #version(): Promise<string | undefined> {
    const options = {
      cwd: neutralDirectory(),
      timeout: ANSWER_WITHIN_MS,
      killSignal: "SIGKILL",
      signal: this.#closing.signal,
      windowsHide: true,
    } as const;
    return new Promise((resolve) => {
      const [file, ...args] = commandOf(this.#codex);
      const child = execFile(file, args, options, (error, stdout) => {
        if (error !== null) trace("debug", "codexVersion.unknown", { error: error.message });
        resolve(error === null ? /\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] : undefined);
      });
      // Something that is no codex may wait for input.
      child.stdin?.end();
    });
  }
}

/** Through the system's shell where there is one: a start from a disk that hangs blocks the starter. */
function commandOf(codex: string): [file: string, ...args: string[]] {
  if (process.platform === "win32") return [codex, "--version"];
  return ["/bin/sh", "-c", 'exec "$0" --version', codex];
}

async function startsAnother(codex: string): Promise<boolean> {
  try {
    if ((await realpath(codex)) !== codex) return true;
    await using file = await open(codex, "r");
    const head = Buffer.alloc(2);
    await file.read(head, 0, 2, 0);
    return head.toString("latin1") === "#!";
  } catch {
    return false;
  }
}
