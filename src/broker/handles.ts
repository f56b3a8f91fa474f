import { paramsThatName } from "../app-server/method-table.ts";
import { withParam, withParams, type NotificationFrame, type RequestFrame } from "../wire/frame.ts";
import { asciiJson } from "../wire/line.ts";
import { isRecord, type RawId } from "../wire/messages.ts";
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
function nameless({ method, params }: RequestFrame): { processId: string } | undefined {
  if (method !== "command/exec" || !isRecord(params)) return undefined;
  if (!Array.isArray(params["command"]) || (params["processId"] ?? null) !== null) return undefined;
  if (params["tty"] || params["streamStdin"] || params["streamStdoutStderr"]) return undefined;
  commands += 1;
  return { processId: `unnamed-${commands}` };
}

/** The request with its handles under their upstream names. */
export function withUpstreamHandles(frame: RequestFrame, peer: Peer): RequestFrame {
  const { params } = frame;
  if (!isRecord(params)) return frame;
  const given = nameless(frame);
  if (given !== undefined) return withParams(frame, { ...params, ...given });
  return paramsThatName("handle", frame.method).reduce((named, param) => {
    const name = params[param];
    return typeof name === "string"
      ? withParam(named, param, asciiJson(upstreamName(peer, name)))
      : named;
  }, frame);
}

/** What the app-server says of a handle, with the name that the session has given it. */
export function inWordsOfSession(text: string, frame: RequestFrame, peer: Peer): string {
  return handleNames(frame).reduce(
    (told, name) => told.replaceAll(upstreamName(peer, name), name),
    text,
  );
}

/** The names in the request that the client has chosen. */
function handleNames({ method, params }: RequestFrame): string[] {
  if (!isRecord(params)) return [];
  return paramsThatName("handle", method).flatMap((param) => {
    const name = params[param];
    return typeof name === "string" && name !== "" ? name : [];
  });
}

export interface HandleOwner {
  readonly session: number;
  /** The notification with the handle as its session named it. */
  readonly frame: NotificationFrame;
}

/** Whose handle a notification is about; undefined when it is about none. */
export function ownerOfHandle(frame: NotificationFrame): HandleOwner | undefined {
  const [name] = paramsThatName("handle", frame.method);
  if (name === undefined || !isRecord(frame.params)) return undefined;
  const owned = OWNED.exec(String(frame.params[name]));
  if (owned === null) return undefined;
  return { session: Number(owned[1]), frame: withParam(frame, name, asciiJson(owned[2])) };
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

interface Release {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface OpenHandle {
  readonly release: Release;
  /** The request that has begun it: another one that fails because of it does not end it. */
  readonly beganWith: RawId;
}

/** What each session holds open upstream by a handle, so that it can be released when the session goes. */
export class OpenHandles {
  readonly #open = new Map<Peer, Map<string, OpenHandle>>();

  /** To be called with a request under its upstream names, once it was accepted for forwarding. */
  note(peer: Peer, frame: RequestFrame): void {
    const key = handleKey(frame.method, frame.params);
    if (key === undefined || ENDED_BY[frame.method] === undefined) return;
    const handles = this.#open.get(peer) ?? new Map<string, OpenHandle>();
    if (handles.has(key)) return;
    const release = {
      method: ENDED_BY[frame.method]!,
      params: handleParams(frame.method, frame.params),
    };
    handles.set(key, { release, beganWith: frame.id });
    this.#open.set(peer, handles);
  }

  /** The app-server answered: a failed beginning, and a finished end or command, hold nothing open. */
  answered(peer: Peer, frame: RequestFrame, failed: boolean): void {
    const begins = ENDING.get(frame.method) ?? frame.method;
    const over = ENDING.has(frame.method) ? !failed : failed || frame.method === "command/exec";
    const key = handleKey(begins, frame.params);
    if (!over || key === undefined) return;
    const handles = this.#open.get(peer);
    const isAnother = !ENDING.has(frame.method) && handles?.get(key)?.beganWith !== frame.id;
    if (!isAnother) handles?.delete(key);
  }

  /** The requests that release what this session leaves behind. */
  leave(peer: Peer): Release[] {
    const handles = [...(this.#open.get(peer)?.values() ?? [])].map(({ release }) => release);
    this.#open.delete(peer);
    return handles;
  }
}

function handleParams(method: string, params: unknown): Record<string, unknown> {
  const names = paramsThatName("handle", method);
  if (!isRecord(params)) return {};
  return Object.fromEntries(
    names.filter((name) => name in params).map((name) => [name, params[name]]),
  );
}

function handleKey(method: string, params: unknown): string | undefined {
  const handles = handleParams(method, params);
  return Object.keys(handles).length === 0 ? undefined : `${method} ${JSON.stringify(handles)}`;
}
