import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** Who was served, by whom, and after how long. */
export interface Served {
  readonly instance: string;
  readonly epoch: number;
  readonly broker: number;
  readonly appServer: number | null;
  readonly ms: number;
}

export type Answer =
  | ({ readonly kind: "served" } & Served)
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "killed" };

/** A process that waits for the word and then asks for a broker. */
export class Asker {
  readonly pid: number;
  /** Resolves when it has only the word to wait for. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended. */
  readonly answer: Promise<Answer>;
  readonly #child: ChildProcess;

  constructor(program: string, workspace: string, env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, [program, workspace], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.pid = child.pid ?? 0;
    const said: string[] = [];
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
    child.stdin.on("error", () => {});
    this.ready = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        said.push(line);
        resolve();
      });
      child.once("error", reject);
      child.once("close", () => reject(new Error(`an asker ended: ${stderr}`)));
    });
    this.answer = new Promise((resolve) => {
      child.once("close", (_code, signal) => {
        const [, line] = said;
        if (line !== undefined) resolve(answerIn(line));
        else resolve(signal === null ? { kind: "failed", why: stderr } : { kind: "killed" });
      });
    });
  }

  askAt(at: number): void {
    this.#child.stdin?.end(`${at}\n`);
  }
}

function answerIn(line: string): Answer {
  const said = JSON.parse(line) as Served | { readonly error: { readonly message: string } };
  if ("error" in said) return { kind: "failed", why: JSON.stringify(said.error) };
  return { kind: "served", ...said };
}
