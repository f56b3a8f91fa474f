import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmdirSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import {
  BrokerError,
  errnoOf,
  isErrorKind,
  messageOf,
  type BrokerErrorJson,
  type ErrorKind,
} from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { publishNew, publishOver, removeIfThere } from "../os/atomic-file.ts";
import { unusable } from "../os/private-directory.ts";
import type { Figures } from "../base/figures.ts";
import { figuresSchema } from "./figures-schema.ts";
import type { CodexSettings } from "./codex-settings.ts";
import type { Place } from "./place.ts";
import { provesNoRecord, type Unreadable } from "./evidence.ts";
import { livenessOf, ownIdentity, type ProcessIdentity } from "../os/process-identity.ts";

interface Claim {
  readonly epoch: number;
  /** Secret: proves a broker to its clients. It leaves this file only as an HMAC. */
  readonly token: string;
  readonly claimant: ProcessIdentity;
  /** Like all times here: ISO 8601. */
  readonly claimedAt: string;
  /** Why the broker before was superseded. Absent when there was none, or it had ended in order. */
  readonly supersedes?: string;
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
  /** The facts that tell brokers of one workspace apart. Absent in a record that another program wrote. */
  readonly label?: string | null;
  readonly place?: Place;
  readonly private?: boolean;
  /** Salted hashes of the decisive variables, by name. */
  readonly environment?: Readonly<Record<string, string>>;
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

/** What wore a broker out, so that it made room for a successor. */
export type Wear = (typeof WEARS)[number];

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
  /** Absent when it ended for another reason. */
  readonly wear?: Wear;
  /** What it has seen; absent when its successor wrote this. */
  readonly figures?: Figures;
}

export type EpochRecord = ClaimedRecord | ServingRecord | EndedRecord;

const identitySchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startTime: v.nullable(v.string()),
  uniqueId: v.exactOptional(v.string()),
  hostId: v.string(),
  bootId: v.nullable(v.string()),
  pidNamespace: v.nullable(v.string()),
});

const placeSchema = v.object({
  host: v.string(),
  system: v.nullable(v.string()),
  workspace: v.nullable(v.string()),
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
  supersedes: v.exactOptional(v.string()),
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
  label: v.exactOptional(v.nullable(v.string())),
  place: v.exactOptional(placeSchema),
  private: v.exactOptional(v.boolean()),
  environment: v.exactOptional(v.record(v.string(), v.string())),
  settings: v.object({
    config: v.string(),
    trust: v.optional(v.string(), "unread"),
    login: v.string(),
  }),
  versions: v.object({ broker: v.string(), build: v.string(), node: v.string() }),
};

const WEARS = ["age", "memory", "descriptors", "descendants", "transport"] as const;

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
    // Of another version, they are no reason not to read the rest.
    wear: v.fallback(v.optional(v.picklist(WEARS)), undefined),
    figures: v.fallback(v.optional(figuresSchema), undefined),
  }),
]);

export type EpochReading =
  | { readonly state: "read"; readonly epoch: number; readonly record: EpochRecord }
  | ({
      readonly state: "unreadable";
      readonly epoch: number;
      readonly why: string;
    } & Unreadable);

/** How often a broker touches the file of its epoch, as a sign of life for those who cannot verify it. */
export const HEARTBEAT_MS = 10 * 60_000;

const EPOCH_NAME = /^([1-9]\d{0,14})\.json$/;
/** The longest name that is still an epoch's, and a number without loss. */
export const LAST_EPOCH = 10 ** 15 - 1;

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
    const code = errnoOf(cause);
    if (code === "ENOENT") return undefined;
    const damaged = provesNoRecord(code);
    return { state: "unreadable", epoch, why: messageOf(cause), damaged, code };
  }
  return decodeEpoch(epoch, text);
}

export function decodeEpoch(epoch: number, text: string): EpochReading {
  const damaged = (why: string): EpochReading => ({
    state: "unreadable",
    epoch,
    why,
    damaged: true,
    code: undefined,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return damaged(text === "" ? "it is empty" : "it is not JSON");
  }
  const parsed = v.safeParse(recordSchema, json);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    return damaged(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
  }
  if (parsed.output.epoch !== epoch) return damaged(`it names epoch ${parsed.output.epoch}`);
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
 * @param supersedes why, unless there was no broker or it had ended in order.
 * @returns the claim, or undefined when somebody else was first.
 * @throws BrokerError `stateDirUnusable` when there is no epoch after it.
 */
export function claimEpoch(
  scopeDir: string,
  newest: number,
  supersedes?: string,
): ClaimedRecord | undefined {
  if (newest >= LAST_EPOCH) throw noneAfter(epochPath(scopeDir, newest));
  const claim: ClaimedRecord = {
    state: "claimed",
    epoch: newest + 1,
    token: randomBytes(32).toString("hex"),
    claimant: ownIdentity(),
    claimedAt: new Date().toISOString(),
    ...(supersedes === undefined ? {} : { supersedes }),
  };
  if (!publishNew(epochPath(scopeDir, claim.epoch), encode(claim))) return undefined;
  return listEpochs(scopeDir)[0] === claim.epoch ? claim : undefined;
}

/** No broker gets there in a million years, so somebody has put that file there. */
function noneAfter(file: string): BrokerError {
  return new BrokerError("stateDirUnusable", `${file} is of the last epoch there is.`, {
    details: { path: file },
    hint: "Run `codex-broker doctor --fix`: it moves that file aside, which no broker has put there.",
  });
}

/**
 * Moves the file of the last epoch aside, which would otherwise be in the way of every broker. Nothing is
 * removed: it keeps its content under a name that is no epoch's.
 *
 * @returns where it is now, or undefined when a process that it names may live, or it cannot be read.
 */
export function moveLastEpochAside(scopeDir: string): string | undefined {
  const reading = readEpoch(scopeDir, LAST_EPOCH);
  if (reading === undefined) return undefined;
  if (reading.state === "unreadable" ? !reading.damaged : mayLive(reading.record)) return undefined;
  const file = epochPath(scopeDir, LAST_EPOCH);
  const aside = `${file}.aside-${randomBytes(6).toString("hex")}`;
  renameSync(file, aside);
  return aside;
}

function mayLive(record: EpochRecord): boolean {
  if (record.state === "ended") return false;
  return livenessOf(record.state === "serving" ? record.broker : record.claimant) !== "gone";
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

/** Whether that file is proven to be gone or another's: not being able to read it proves nothing. */
export function hasLostEpoch(scopeDir: string, epoch: number, token: string): boolean {
  const reading = readEpoch(scopeDir, epoch);
  if (reading === undefined) return true;
  return reading.state === "read" ? reading.record.token !== token : reading.damaged;
}

/** Removes the file of an epoch that has ended, and its log. A file in any other state stays. */
export function forgetEpoch(scopeDir: string, epoch: number): void {
  const reading = readEpoch(scopeDir, epoch);
  if (reading?.state !== "read" || reading.record.state !== "ended") return;
  removeIfThere(epochPath(scopeDir, epoch));
  removeIfThere(epochLogPath(scopeDir, epoch));
}

/** Removes a scope that nobody will ask for again, unless one of its brokers did not end in order. */
export function forgetScope(scopeDir: string): void {
  const epochs = listEpochs(scopeDir);
  const inOrder = epochs.every((epoch) => {
    const reading = readEpoch(scopeDir, epoch);
    return (
      reading?.state === "read" && reading.record.state === "ended" && !reading.record.abnormal
    );
  });
  if (!inOrder) return;
  for (const epoch of epochs) forgetEpoch(scopeDir, epoch);
  try {
    rmdirSync(scopeDir);
  } catch (error) {
    // There is something else in it, or somebody was faster.
    trace("info", "scope.kept", { error: String(error) });
  }
}

function encode(record: EpochRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}
