import { notificationFacts, requestFacts } from "../app-server/method-table.ts";
import { withParams, type NotificationFrame, type RequestFrame } from "../wire/frame.ts";
import { isRecord } from "../wire/messages.ts";
import type { Peer } from "./peer.ts";

/**
 * Clients choose names for what they watch, run and search, and the app-server keeps them per
 * connection. All sessions share one connection, so upstream a name carries its session in front.
 */
const OWNED = /^s(\d+)-([^]*)$/;

function upstreamName(peer: Peer, name: string): string {
  return `s${peer.id}-${name}`;
}

let commands = 0;

/**
 * A command that runs to its end in silence needs no name. But only what has one can be ended, and on
 * a connection of its own it would end with its client. A command that streams is refused without one.
 */
function nameless({ method, params }: RequestFrame): { processId?: string } {
  if (method !== "command/exec" || !isRecord(params)) return {};
  if (!Array.isArray(params["command"]) || (params["processId"] ?? null) !== null) return {};
  if (params["tty"] || params["streamStdin"] || params["streamStdoutStderr"]) return {};
  commands += 1;
  return { processId: `unnamed-${commands}` };
}

/** The request with its handles under their upstream names. */
export function withUpstreamHandles(frame: RequestFrame, peer: Peer): RequestFrame {
  const names = requestFacts(frame.method)?.handles ?? [];
  if (names.length === 0 || !isRecord(frame.params)) return frame;
  const given = nameless(frame);
  const params: Record<string, unknown> = { ...frame.params, ...given };
  let changed = given.processId !== undefined;
  for (const name of names) {
    const value = frame.params[name];
    if (typeof value !== "string") continue;
    params[name] = upstreamName(peer, value);
    changed = true;
  }
  return changed ? withParams(frame, params) : frame;
}

export interface HandleOwner {
  readonly session: number;
  /** The notification with the handle as its session named it. */
  readonly frame: NotificationFrame;
}

/** Whose handle a notification is about; undefined when it is about none. */
export function ownerOfHandle(frame: NotificationFrame): HandleOwner | undefined {
  const name = notificationFacts(frame.method)?.handles[0];
  if (name === undefined || !isRecord(frame.params)) return undefined;
  const owned = OWNED.exec(String(frame.params[name]));
  if (owned === null) return undefined;
  const params = { ...frame.params, [name]: owned[2] };
  return { session: Number(owned[1]), frame: withParams(frame, params) };
}

/** Which request ends what another one began, by the handle they share. */
const ENDED_BY: Readonly<Record<string, string>> = {
  "fs/watch": "fs/unwatch",
  "command/exec": "command/exec/terminate",
  "process/spawn": "process/kill",
  "fuzzyFileSearch/sessionStart": "fuzzyFileSearch/sessionStop",
  "mcpServer/event/stream/start": "mcpServer/event/stream/stop",
};
const ENDING = new Map(Object.entries(ENDED_BY).map(([begins, ends]) => [ends, begins]));

interface OpenHandle {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What each session holds open upstream by a handle, so that it can be released when the session goes. */
export class OpenHandles {
  readonly #open = new Map<Peer, Map<string, OpenHandle>>();

  /** To be called with a request under its upstream names, once it was accepted for forwarding. */
  note(peer: Peer, frame: RequestFrame): void {
    const key = handleKey(frame.method, frame.params);
    if (key === undefined || ENDED_BY[frame.method] === undefined) return;
    const handles = this.#open.get(peer) ?? new Map<string, OpenHandle>();
    handles.set(key, {
      method: ENDED_BY[frame.method]!,
      params: handleParams(frame.method, frame.params),
    });
    this.#open.set(peer, handles);
  }

  /** The app-server answered: a failed beginning, and a finished end or command, hold nothing open. */
  answered(peer: Peer, frame: RequestFrame, failed: boolean): void {
    const begins = ENDING.get(frame.method) ?? frame.method;
    const over = ENDING.has(frame.method) ? !failed : failed || frame.method === "command/exec";
    const key = handleKey(begins, frame.params);
    if (over && key !== undefined) this.#open.get(peer)?.delete(key);
  }

  /** The requests that release what this session leaves behind. */
  leave(peer: Peer): OpenHandle[] {
    const handles = [...(this.#open.get(peer)?.values() ?? [])];
    this.#open.delete(peer);
    return handles;
  }
}

function handleParams(method: string, params: unknown): Record<string, unknown> {
  const names = requestFacts(method)?.handles ?? [];
  if (!isRecord(params)) return {};
  return Object.fromEntries(
    names.filter((name) => name in params).map((name) => [name, params[name]]),
  );
}

function handleKey(method: string, params: unknown): string | undefined {
  const handles = handleParams(method, params);
  return Object.keys(handles).length === 0 ? undefined : `${method} ${JSON.stringify(handles)}`;
}
