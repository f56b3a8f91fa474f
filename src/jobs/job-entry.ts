import * as v from "valibot";
import type { JobRequest, Outcome } from "../wire/job-protocol.ts";
import type { Shortfalls } from "../wire/shortfalls.ts";
import { requestSchema } from "./job-request.ts";

/** What Codex made of the request: what was left open is decided here. */
export interface Resolved {
  readonly model: string | null;
  readonly effort: string | null;
  readonly cwd: string | null;
  readonly sandbox: unknown;
  readonly approvalPolicy: unknown;
}

/** Present when the content was larger than an entry may be. Codex's own history has the whole. */
interface Content {
  readonly truncated?: { readonly bytes: number };
}

interface Created extends Content {
  readonly type: "created";
  readonly job: string;
  /** The broker that owns it. */
  readonly epoch: number;
  readonly instance: string;
  readonly version: string;
  readonly request: JobRequest;
}

interface Started {
  readonly type: "started";
  readonly threadId: string;
  readonly turnId: string;
  readonly codex: string | null;
  readonly resolved: Resolved;
}

/** One item of the turn that is complete, as Codex sent it, up to a size limit. */
interface Item extends Content {
  readonly type: "item";
  readonly item: unknown;
}

/** Something that Codex asked for, and that the request's policy allows. */
interface Allowed extends Content {
  readonly type: "allowed";
  readonly method: string;
  readonly params: unknown;
}

interface Usage {
  readonly type: "usage";
  readonly usage: unknown;
}

interface Ended extends Content, Partial<Shortfalls> {
  readonly type: "ended";
  readonly outcome: Outcome;
  /** The final message; empty when there was none. */
  readonly message: string;
  /** Why it failed, in Codex's own words, or why it was lost, in ours. */
  readonly error: unknown;
}

/** One line of a journal. */
export type JobEntry = (Created | Started | Item | Allowed | Usage | Ended) & {
  /** ISO 8601. */
  readonly at: string;
};

const OUTCOMES: readonly Outcome[] = ["completed", "failed", "cancelled", "timedOut", "lost"];

const nullableText = v.nullable(v.string());
const truncated = v.exactOptional(v.object({ bytes: v.number() }));

const schema = v.variant("type", [
  v.object({
    type: v.literal("created"),
    at: v.string(),
    job: v.string(),
    epoch: v.number(),
    instance: v.string(),
    version: v.string(),
    request: requestSchema,
    truncated,
  }),
  v.object({
    type: v.literal("started"),
    at: v.string(),
    threadId: v.string(),
    turnId: v.string(),
    codex: nullableText,
    resolved: v.object({
      model: nullableText,
      effort: nullableText,
      cwd: nullableText,
      sandbox: v.unknown(),
      approvalPolicy: v.unknown(),
    }),
  }),
  v.object({ type: v.literal("item"), at: v.string(), item: v.unknown(), truncated }),
  v.object({
    type: v.literal("allowed"),
    at: v.string(),
    method: v.string(),
    params: v.unknown(),
    truncated,
  }),
  v.object({ type: v.literal("usage"), at: v.string(), usage: v.unknown() }),
  v.object({
    type: v.literal("ended"),
    at: v.string(),
    outcome: v.picklist(OUTCOMES),
    message: v.string(),
    error: v.unknown(),
    declined: v.exactOptional(
      v.array(v.object({ method: v.string(), params: v.record(v.string(), v.unknown()) })),
    ),
    failedMcpServers: v.exactOptional(v.array(v.object({ name: v.string(), error: nullableText }))),
    unfinishedSubAgents: v.exactOptional(v.array(v.string())),
    truncated,
  }),
]);

/** Whether a line begins as the first entry of every version does. */
export function beginsJournal(line: string): boolean {
  return line.startsWith('{"type":"created",');
}

/** One line of a journal; undefined when it is none. */
export function decodeEntry(line: string): JobEntry | undefined {
  try {
    const parsed = v.safeParse(schema, JSON.parse(line));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

export function encodeEntry(entry: JobEntry): string {
  return `${JSON.stringify(entry)}\n`;
}
