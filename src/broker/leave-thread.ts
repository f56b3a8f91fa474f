import { errorLine, resultLine, rpcErrorOf, type RawId } from "../wire/messages.ts";
import type { LoadedThreads } from "./loaded-threads.ts";
import type { Peer } from "./peer.ts";
import type { Threads } from "./threads.ts";

/** What a session can unsubscribe from, and what follows from that. */
export interface Subscriptions<S extends object> {
  readonly threads: Threads<S>;
  readonly loaded: LoadedThreads<S>;
  /** Whether a thread that is not known may be one that is being opened, as a sub-agent's is by a turn. */
  readonly mayBeOpening: (threadId: string) => boolean;
  /** Called when the session has left a thread. */
  readonly onLeft: (session: S) => void;
}

/**
 * Answers `thread/unsubscribe`. It concerns this session alone; the app-server is asked only about a
 * thread that no session can be using. A session that is still opening the thread leaves it after that.
 */
export function leaveThread(
  peer: Peer,
  request: { readonly id: RawId; readonly threadId: string },
  subscriptions: Subscriptions<Peer>,
): void {
  const { threads, loaded, mayBeOpening, onLeft } = subscriptions;
  const { id, threadId } = request;
  const opening = loaded.openedBy(peer, threadId);
  if (opening !== undefined) {
    return void opening.onceOver.push(() => leaveThread(peer, request, subscriptions));
  }
  if (!threads.knows(threadId) && !mayBeOpening(threadId)) {
    return void loaded.unsubscribe(threadId).then(
      (result) => peer.send(resultLine(id, result)),
      (error: unknown) => peer.send(errorLine(id, rpcErrorOf(error))),
    );
  }
  const isLoaded = threads.knows(threadId) || loaded.isOpening(threadId);
  const left = threads.unsubscribe(threadId, peer);
  onLeft(peer);
  const notLeft = isLoaded ? "notSubscribed" : "notLoaded";
  peer.send(resultLine(id, { status: left ? "unsubscribed" : notLeft }));
  loaded.release([threadId]);
}
