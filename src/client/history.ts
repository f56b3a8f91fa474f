import type { v2 } from "../app-server/generated/index.ts";
import { Deadline, pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { RpcError } from "../wire/messages.ts";
import type { Open } from "./opened.ts";

const ANSWER_WITHIN_MS = 10_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

export interface HistoryOptions {
  /** Asks for the page of a thread's latest turns. */
  readonly ask: (deadline: Deadline) => Promise<v2.ThreadTurnsListResponse>;
  readonly deadline: Deadline;
  /** Ends the attempts. */
  readonly signal?: AbortSignal;
}

/**
 * Asks Codex's history for the latest turns of a thread, again and again until it answers: a request
 * that was not answered in time proves nothing.
 *
 * @returns no turns where Codex answered with an error; undefined where it did not answer.
 */
export async function latestTurns(
  options: HistoryOptions,
): Promise<readonly v2.Turn[] | undefined> {
  const { ask, deadline, signal } = options;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      const each = deadline.within(ANSWER_WITHIN_MS);
      return (await each.race(ask(each), () => new Error("no answer in time"))).data;
    } catch (error) {
      trace("info", "history.notRead", { error: String(error) });
      if (error instanceof RpcError) return [];
      if (deadline.expired || signal?.aborted === true) return undefined;
      await pause(Math.min(pauseMs, deadline.remainingMs), signal);
    }
  }
}

const TURNS_A_PAGE = 5;

/** Asks whichever broker is there by then for a thread's latest turns. */
export async function historyPage(
  open: Open,
  threadId: string,
  deadline: Deadline,
): Promise<v2.ThreadTurnsListResponse> {
  const { link } = await open();
  try {
    const params = { threadId, limit: TURNS_A_PAGE };
    const page = await link.connection.request("thread/turns/list", params, { deadline });
    return page as v2.ThreadTurnsListResponse;
  } finally {
    link.connection.close();
  }
}
