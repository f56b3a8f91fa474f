import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { deferred } from "../../base/deferred.ts";
import { out } from "../output/output.ts";

/**
 * Another command of this program, in a process of its own: what it prints is what people see who
 * type it. Nothing of it passes through a shell.
 */
export interface OwnCommand {
  readonly args: readonly string[];
  /** What it reads. Default: nothing. */
  readonly stdin?: string;
}

/** Everything it says goes to stdout: a host shows little else of a slash command. */
export async function show({ args, stdin = "" }: OwnCommand): Promise<void> {
  await out.flushed();
  const child = spawn(process.execPath, [ownFile(), ...args], { stdio: ["pipe", 1, 1] });
  await ended(child, stdin);
}

/** Its stdout, for `--json`. */
export async function ask({ args, stdin = "" }: OwnCommand): Promise<string> {
  const child = spawn(process.execPath, [ownFile(), ...args], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const [answer] = await Promise.all([text(child.stdout), ended(child, stdin)]);
  return answer;
}

async function ended(child: ReturnType<typeof spawn>, stdin: string): Promise<void> {
  const end = deferred<void>();
  child.once("error", end.reject);
  child.once("exit", () => end.resolve());
  // A command that makes nothing of its input need not read it.
  child.stdin?.on("error", () => {});
  child.stdin?.end(stdin);
  await end.promise;
}

/** @throws when this program was not started from a file. */
export function ownFile(): string {
  const file = process.argv[1];
  if (file === undefined) throw new Error("this program does not know its own file");
  return file;
}
