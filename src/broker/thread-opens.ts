import type { RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import { threadParam } from "./frame-facts.ts";

/** Parameters that name a thread by its file or its content, so that its id is not known. */
const UNNAMED = ["path", "history"];

/** A request in flight whose response subscribes a session to a thread. */
export interface ThreadOpen<S> {
  readonly session: S;
  /** The thread that it resumes or forks; undefined for `thread/start`. */
  readonly threadId: string | undefined;
  /** Whether it may subscribe to a thread that it does not name. */
  readonly anyThread: boolean;
  /** Whether its response names a thread that did not exist before. */
  readonly newThread: boolean;
  /** Called when it is over. */
  readonly onceOver: Array<() => void>;
}

/** Counts the requests in flight that open a thread: until each is over, its thread stays subscribed. */
export class ThreadOpens<S extends object> {
  readonly #inFlight = new Set<ThreadOpen<S>>();

  get size(): number {
    return this.#inFlight.size;
  }

  begin(session: S, frame: RequestFrame): ThreadOpen<S> {
    const params = isRecord(frame.params) ? frame.params : {};
    const open: ThreadOpen<S> = {
      session,
      threadId: threadParam(frame),
      anyThread: UNNAMED.some((name) => (params[name] ?? null) !== null),
      newThread: frame.method !== "thread/resume",
      onceOver: [],
    };
    this.#inFlight.add(open);
    return open;
  }

  end(open: ThreadOpen<S>): void {
    this.#inFlight.delete(open);
    for (const step of open.onceOver) step();
  }

  /** Whether a request in flight needs this loaded thread. */
  needs(threadId: string): boolean {
    return this.#some((open) => open.anyThread || open.threadId === threadId);
  }

  /** Whether the thread of an event, which has no subscriber yet, may be one that is being opened. */
  mayOpen(threadId: string): boolean {
    return this.#some((open) => open.anyThread || open.newThread || open.threadId === threadId);
  }

  /** The session's own request in flight that opens this thread. */
  by(session: S, threadId: string): ThreadOpen<S> | undefined {
    return [...this.#inFlight].findLast(
      (open) => open.session === session && (open.anyThread || open.threadId === threadId),
    );
  }

  #some(fits: (open: ThreadOpen<S>) => boolean): boolean {
    for (const open of this.#inFlight) if (fits(open)) return true;
    return false;
  }
}
