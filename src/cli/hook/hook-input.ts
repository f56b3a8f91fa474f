import type { Readable } from "node:stream";
import type { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import { isRecord } from "../../wire/messages.ts";
import { FirstObject } from "./first-object.ts";

/** What a host says about the event. Only what is read here is named. */
export interface HookInput {
  readonly session: string | undefined;
  readonly cwd: string | undefined;
  readonly transcript: string | undefined;
  /** Why a session ends. */
  readonly reason: string | undefined;
  /** The agent goes on because a hook has kept it from stopping. */
  readonly stopHookActive: boolean;
  readonly lastMessage: string;
}

export type HookReading =
  | { readonly state: "read"; readonly input: HookInput }
  | { readonly state: "none"; readonly why: string };

/** The last message of an agent is in it, in full. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/** Turns of the event loop without a new piece, after which the stream counts as empty. */
const IDLE_TURNS = 3;

/**
 * One JSON object, as soon as it is whole: a host may leave the stream open for ever, and the stream
 * may be one that never says anything.
 */
export async function readHookInput(stdin: Readable, deadline: Deadline): Promise<HookReading> {
  const reading = deferred<HookReading>();
  const none = (why: string): void => reading.resolve({ state: "none", why });
  const object = new FirstObject();
  stdin.setEncoding("utf8");
  stdin.on("data", (piece: string) => {
    const text = object.push(piece);
    if (text !== undefined) reading.resolve(readingOf(text));
    else if (object.isHopeless) none("the input is no JSON object");
    else if (object.length > MAX_CHARACTERS) none("the input is too large");
  });
  stdin.on("end", () => none(object.length === 0 ? "there was no input" : "the input is cut off"));
  stdin.on("error", (error) => none(`the input cannot be read: ${error.message}`));
  try {
    return await deadline.race(reading.promise, () => new Error("late"));
  } catch {
    // On a busy machine the time can be up before anything was read of what has long been there.
    for (let idle = 0, before = -1; idle < IDLE_TURNS; idle += 1) {
      if (object.length !== before) idle = 0;
      before = object.length;
      await new Promise(setImmediate);
    }
    none("no whole input came in time");
    return await reading.promise;
  } finally {
    stdin.removeAllListeners("data").pause();
  }
}

function readingOf(text: string): HookReading {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return { state: "read", input: inputIn(value) };
  } catch {
    // Braces alone make no object.
  }
  return { state: "none", why: "the input is no JSON object" };
}

function inputIn(value: Readonly<Record<string, unknown>>): HookInput {
  const textOf = (name: string): string | undefined => {
    const field = value[name];
    return typeof field === "string" && field !== "" ? field : undefined;
  };
  return {
    session: textOf("session_id"),
    cwd: textOf("cwd"),
    transcript: textOf("transcript_path"),
    reason: textOf("reason"),
    stopHookActive: value["stop_hook_active"] === true,
    lastMessage: textOf("last_assistant_message") ?? "",
  };
}
