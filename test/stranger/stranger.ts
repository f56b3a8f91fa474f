import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** The pid that was given last in this pid namespace. Whoever may write it chooses the next one. */
const LAST_PID = "/proc/sys/kernel/ns_last_pid";
/** Somebody else in the namespace may take the pid just then. */
const MOST_ATTEMPTS = 20;

/** Tells of every signal that can be caught. Each of the others would show as its end. */
const TRAPS = `
  n=1; while [ $n -le 64 ]; do
    case $n in 9|19|32|33) ;; *) trap "echo heard $n" $n ;; esac
    n=$((n + 1))
  done
  echo ready`;
/** A trap ends `read` as the end of input does; so without its parent it would read for ever. */
export const WAITS = `${TRAPS}\nwhile kill -0 $PPID 2>/dev/null; do read -r _ && exit 0; done`;

/** A process that is none of the broker's business, and tells of every signal that reaches it. */
export class Stranger {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #heard: string[] = [];
  readonly #ready: Promise<void>;

  private constructor(argv0: string, args: readonly string[]) {
    // In a session of its own: it descends from us, but it is in nobody's family.
    const child = spawn("/bin/sh", ["-c", WAITS, ...args], {
      argv0,
      detached: true,
      stdio: ["pipe", "pipe", "inherit"],
    });
    if (child.pid === undefined) throw new Error("no stranger could be started");
    this.pid = child.pid;
    this.#child = child;
    child.stdin?.on("error", () => {});
    const lines = createInterface({ input: child.stdout });
    this.#ready = new Promise((resolve) => {
      lines.on("line", (line) => (line === "ready" ? resolve() : this.#heard.push(line)));
      child.once("close", () => resolve());
    });
  }

  /** @param args stand behind the program in its command line, for whoever believes in such. */
  static async start(argv0 = "sh", args: readonly string[] = []): Promise<Stranger> {
    const stranger = new Stranger(argv0, args);
    await stranger.#ready;
    return stranger;
  }

  /** One that is given this very pid, which must be nobody's. */
  static async withPid(pid: number, argv0?: string, args?: readonly string[]): Promise<Stranger> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
      writeFileSync(LAST_PID, String(pid - 1));
      const stranger = await Stranger.start(argv0, args);
      if (stranger.pid === pid) return stranger;
      await stranger.leave();
    }
    throw new Error(`the pid ${pid} was not given again`);
  }

  /** Asks it to leave. @returns what reached it while it was here; it did nothing else than to tell. */
  async leave(): Promise<readonly string[]> {
    const closed =
      this.#child.exitCode === null && this.#child.signalCode === null
        ? once(this.#child, "close")
        : undefined;
    this.#child.stdin?.write("\n");
    await closed;
    const { signalCode } = this.#child;
    return signalCode === null ? this.#heard : [...this.#heard, `ended by ${signalCode}`];
  }
}

/** Whether pids can be given again here at will. */
export function canRecycle(): boolean {
  try {
    writeFileSync(LAST_PID, String(process.pid));
    return true;
  } catch {
    return false;
  }
}
