import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Json, JsonObject } from "./json.ts";
import { makeTempDir } from "./temp-dir.ts";

/** How a process ends: with a code (0 unless given) or by a signal. */
export interface FakeEnd {
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
}

/** What one start of the fake app-server does otherwise than the real one. Nothing given: nothing otherwise. */
export interface FakeBehaviour {
  /** Version it reports. `0.169.0` unless given. */
  readonly version?: string;
  /** Ends without serving, after so many milliseconds and these words on standard error. */
  readonly exitAtStart?: FakeEnd & { readonly stderr?: string; readonly afterMs?: number };
  /** Lines on standard output before anything else, exactly as given. */
  readonly noise?: readonly string[];
  /** Lines on standard output ahead of each answer, exactly as given. */
  readonly noiseBeforeAnswers?: readonly string[];
  /** Methods that are never answered nor acted upon. */
  readonly mute?: readonly string[];
  /** After so many requests not a line is written any more. */
  readonly muteAfter?: number;
  /** Milliseconds before a request of that method is looked at. */
  readonly delayMs?: Readonly<Record<string, number>>;
  /** Ready answers by method, given instead of acting: for the first `times` requests, or for all. */
  readonly answers?: Readonly<Record<string, FakeAnswer>>;
  /** Ends when that method arrives: at once and without an answer, or so many milliseconds later. */
  readonly die?: FakeEnd & { readonly on: string; readonly afterMs?: number };
  /** The script of every turn, whatever its prompt. */
  readonly turns?: string;
  /** Sends events of a new thread before the answer that names it. */
  readonly eventsBeforeStart?: boolean;
  /** Refuses new work as a server that shuts down. */
  readonly draining?: boolean;
  /** What does not end it. */
  readonly ignores?: readonly ("EOF" | "SIGTERM")[];
  /** Starts a process that holds standard output and outlives it, in its process group or in one of its own. */
  readonly descendant?: "same-group" | "own-group";
}

/** A ready answer. */
export interface FakeAnswer {
  readonly result?: Json;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Json };
  /** How often it is given. Always unless given. */
  readonly times?: number;
}

/** One line of what the fake noted: a start, a message got, a descendant left behind, or the end. */
export type FakeNote = { readonly start: number; readonly pid: number } & JsonObject;

/** A fake codex with a plan. */
export interface FakeCodex extends AsyncDisposable {
  /** The program, to be started in place of `codex`. */
  readonly command: string;
  /** What its environment must have. */
  readonly env: Readonly<Record<string, string>>;
  /** Lets pass what waits at this gate. */
  release(gate: string): Promise<void>;
  /** What was noted so far, over all starts. */
  notes(): Promise<readonly FakeNote[]>;
  /** The messages got so far, over all starts. */
  received(): Promise<readonly Json[]>;
  /** Removes the plan and the notes. */
  remove(): Promise<void>;
}

/** The fake itself; without a plan it behaves well. */
export const FAKE_APP_SERVER: string = fileURLToPath(
  new URL("fake-app-server.mjs", import.meta.url),
);

/**
 * Makes a fake codex whose first start does the first behaviour, the second the second, and every later one the last.
 *
 * @example
 * const fake = await makeFakeCodex({ exitAtStart: { code: 1 } }, { exitAtStart: { code: 1 } }, {});
 */
export async function makeFakeCodex(...behaviours: readonly FakeBehaviour[]): Promise<FakeCodex> {
  const dir = await makeTempDir();
  const plan = join(dir.path, "plan.json");
  await writeFile(plan, JSON.stringify(behaviours.length === 0 ? {} : behaviours));
  const notes = async (): Promise<readonly FakeNote[]> => {
    const text = await readFile(`${plan}.journal`, "utf8").catch(() => "");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as FakeNote);
  };
  return {
    command: FAKE_APP_SERVER,
    env: { FAKE_APP_SERVER_PLAN: plan },
    release: async (gate) => await writeFile(`${plan}.gate-${gate}`, ""),
    notes,
    received: async () => (await notes()).flatMap((note) => note["got"] ?? []),
    remove: dir.remove,
    [Symbol.asyncDispose]: dir.remove,
  };
}
