import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import {
  errnoOf,
  isErrorKind,
  messageOf,
  type BrokerErrorJson,
  type ErrorKind,
} from "../base/errors.ts";
import { publishNew, publishOver, removeIfThere } from "../os/atomic-file.ts";
import { unusable } from "../os/private-directory.ts";
import type { CodexSettings } from "./codex-settings.ts";
import { ownIdentity, type ProcessIdentity } from "../os/process-identity.ts";

interface Claim {
  readonly epoch: number;
  /** Secret: proves a broker to its clients. It leaves this file only as an HMAC. */
  readonly token: string;
  readonly claimant: ProcessIdentity;
  /** Like all times here: ISO 8601. */
  readonly claimedAt: string;
}

interface Service {
  readonly instance: string;
  readonly broker: ProcessIdentity;
  /** Null until it has been started. */
  readonly appServer: ProcessIdentity | null;
  readonly endpoint: string;
  /** A fixed path that leads to `endpoint` and, after a rotation, to the successor's. */
  readonly current: string | null;
  readonly startedAt: string;
  readonly workspace: string;
  readonly codex: string;
  /** What the codex binary looked like at the start: size and time of change. */
  readonly fingerprint: string;
  readonly codexHome: string;
  readonly settings: CodexSettings;
  readonly versions: { readonly broker: string; readonly build: string; readonly node: string };
}

/** Somebody is about to start a broker. */
export interface ClaimedRecord extends Claim {
  readonly state: "claimed";
}

/** A broker listens. */
export interface ServingRecord extends Claim, Service {
  readonly state: "serving";
}

/** The obituary. What the broker had not got to yet is absent. */
export interface EndedRecord extends Claim, Partial<Service> {
  readonly state: "ended";
  readonly reason: string;
  readonly at: string;
  /** Whether it ended because something went wrong. */
  readonly abnormal: boolean;
  /** Of the app-server; null when there was none, or nobody saw it end. */
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
  /** Why it could not begin to serve; null for one that did, however it ended, and for one that was killed. */
  readonly error: BrokerErrorJson | null;
  readonly stderrTail: string;
}

export type EpochRecord = ClaimedRecord | ServingRecord | EndedRecord;

const identitySchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.nullable(v.string()),
  hostId: v.string(),
  bootId: v.nullable(v.string()),
  pidNamespace: v.nullable(v.string()),
});

const errorSchema = v.object({
  kind: v.custom<ErrorKind>(isErrorKind),
  message: v.string(),
  retryable: v.boolean(),
  hint: v.string(),
  details: v.record(v.string(), v.unknown()),
});

const claim = {
  epoch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  token: v.pipe(v.string(), v.minLength(32)),
  claimant: identitySchema,
  claimedAt: v.string(),
};

const service = {
  instance: v.string(),
  broker: identitySchema,
  appServer: v.nullable(identitySchema),
  endpoint: v.string(),
  current: v.nullable(v.string()),
  startedAt: v.string(),
  workspace: v.string(),
  codex: v.string(),
  fingerprint: v.string(),
  codexHome: v.string(),
  settings: v.object({ config: v.string(), login: v.string() }),
  versions: v.object({ broker: v.string(), build: v.string(), node: v.string() }),
};

const recordSchema = v.variant("state", [
  v.object({ state: v.literal("claimed"), ...claim }),
  v.object({ state: v.literal("serving"), ...claim, ...service }),
  v.object({
    ...v.partial(v.object(service)).entries,
    ...claim,
    state: v.literal("ended"),
    reason: v.string(),
    at: v.string(),
    abnormal: v.boolean(),
    exit: v.nullable(v.object({ code: v.nullable(v.number()), signal: v.nullable(v.string()) })),
    error: v.nullable(errorSchema),
    stderrTail: v.string(),
  }),
]);

export type EpochReading =
  | { readonly state: "read"; readonly epoch: number; readonly record: EpochRecord }
  | { readonly state: "unreadable"; readonly epoch: number; readonly why: string };

const EPOCH_NAME = /^([1-9]\d{0,14})\.json$/;

export function epochPath(scopeDir: string, epoch: number): string {
  return path.join(scopeDir, `${epoch}.json`);
}

/** Where everything that the broker of this epoch has to say is kept. */
export function epochLogPath(scopeDir: string, epoch: number): string {
  return path.join(scopeDir, `${epoch}.log`);
}

/** All epochs that have a file, the newest first. Empty when the directory is not there. */
export function listEpochs(scopeDir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(scopeDir);
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return [];
    throw unusable(scopeDir, cause);
  }
  return names
    .flatMap((name) => EPOCH_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => b - a);
}

/** The file of one epoch, or undefined when there is none. Whatever stands in it, this does not throw. */
export function readEpoch(scopeDir: string, epoch: number): EpochReading | undefined {
  let text: string;
  try {
    text = readFileSync(epochPath(scopeDir, epoch), "utf8");
  } catch (cause) {
    if (errnoOf(cause) === "ENOENT") return undefined;
    return { state: "unreadable", epoch, why: messageOf(cause) };
  }
  return decodeEpoch(epoch, text);
}

export function decodeEpoch(epoch: number, text: string): EpochReading {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { state: "unreadable", epoch, why: text === "" ? "it is empty" : "it is not JSON" };
  }
  const parsed = v.safeParse(recordSchema, json);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    return { state: "unreadable", epoch, why: `${v.getDotPath(issue) ?? "it"}: ${issue.message}` };
  }
  if (parsed.output.epoch !== epoch) {
    return { state: "unreadable", epoch, why: `it names epoch ${parsed.output.epoch}` };
  }
  return { state: "read", epoch, record: parsed.output as EpochRecord };
}

export function newestEpoch(scopeDir: string): EpochReading | undefined {
  for (const epoch of listEpochs(scopeDir)) {
    const reading = readEpoch(scopeDir, epoch);
    if (reading !== undefined) return reading;
  }
  return undefined;
}

/**
 * Claims the epoch after `newest`. Of all who try, one wins; the winner goes on only if nobody has
 * claimed a higher one meanwhile.
 *
 * @returns the claim, or undefined when somebody else was first.
 */
export function claimEpoch(scopeDir: string, newest: number): ClaimedRecord | undefined {
  const claim: ClaimedRecord = {
    state: "claimed",
    epoch: newest + 1,
    token: randomBytes(32).toString("hex"),
    claimant: ownIdentity(),
    claimedAt: new Date().toISOString(),
  };
  if (!publishNew(epochPath(scopeDir, claim.epoch), encode(claim))) return undefined;
  return listEpochs(scopeDir)[0] === claim.epoch ? claim : undefined;
}

/** Writes the record over the file of its epoch. Only the process that the file names does this. */
export function publishEpoch(scopeDir: string, record: EpochRecord): void {
  publishOver(epochPath(scopeDir, record.epoch), encode(record));
}

/** True while the file of this epoch is the one that carries our token. */
export function holdsEpoch(scopeDir: string, epoch: number, token: string): boolean {
  const reading = readEpoch(scopeDir, epoch);
  return reading?.state === "read" && reading.record.token === token;
}

/** Removes the file of an epoch that has ended, and its log. A file in any other state stays. */
export function forgetEpoch(scopeDir: string, epoch: number): void {
  const reading = readEpoch(scopeDir, epoch);
  if (reading?.state !== "read" || reading.record.state !== "ended") return;
  removeIfThere(epochPath(scopeDir, epoch));
  removeIfThere(epochLogPath(scopeDir, epoch));
}

function encode(record: EpochRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}
