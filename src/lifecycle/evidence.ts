import type { BrokerErrorJson, ErrorKind } from "../base/errors.ts";
import type { BrokerHello } from "../wire/broker-protocol.ts";

/** How an attempt to reach the broker of a record ended. */
export type Contact =
  /** The recorded broker responded and proved its identity. */
  | { readonly kind: "hello"; readonly hello: BrokerHello }
  /** It responded with an error: it runs, and does not take this client. */
  | { readonly kind: "rejected"; readonly error: BrokerErrorJson }
  /** A program that is not the recorded broker responded. */
  | { readonly kind: "stranger"; readonly why: string }
  /** A listener accepted the connection and closed it without a response. */
  | { readonly kind: "closed"; readonly code: string }
  /** Connected, or waiting in the listener's queue, without a response in time. */
  | { readonly kind: "silent" }
  /** The system reports that no process listens there. */
  | { readonly kind: "refused"; readonly code: string }
  /** No broker can listen at such an address. */
  | { readonly kind: "misplaced"; readonly code: string }
  /** The system does not let this process connect. */
  | { readonly kind: "denied"; readonly code: string }
  /** This process could not try: it lacks resources, or failed in a way that is not in the table. */
  | { readonly kind: "unable"; readonly code: string };

export type ContactKind = Contact["kind"];

/** What the system error of a connection attempt means. Every code that is not listed: `unable`. */
const SYSTEM_ERRORS: Readonly<Record<string, Exclude<ContactKind, "hello" | "rejected">>> = {
  ECONNREFUSED: "refused",
  ENOENT: "refused",
  EPERM: "denied",
  EACCES: "denied",
  // The listener's queue is full: it exists, and is busy.
  EAGAIN: "silent",
  EBUSY: "silent",
  ETIMEDOUT: "silent",
  ECONNRESET: "closed",
  ECONNABORTED: "closed",
  EPIPE: "closed",
  ENOTDIR: "misplaced",
  ENOTSOCK: "misplaced",
  EPROTOTYPE: "misplaced",
  EINVAL: "misplaced",
  ENAMETOOLONG: "misplaced",
};

/** @param code of the system error; undefined when the attempt took too long. */
export function contactOfError(
  code: string | undefined,
): Exclude<Contact, { readonly kind: "hello" | "rejected" }> {
  if (code === undefined) return { kind: "silent" };
  // Node itself refuses what is no path.
  const kind = SYSTEM_ERRORS[code] ?? (code.startsWith("ERR_") ? "misplaced" : "unable");
  if (kind === "silent") return { kind };
  return kind === "stranger" ? { kind, why: code } : { kind, code };
}

/** `use` it · `wait` for the epoch files to change · `ask` again · `supersede` · `fail` with the reason. */
export type NextStep = "use" | "wait" | "ask" | "supersede" | "fail";

/** What one way a contact can end proves, and what that permits. */
export interface Evidence {
  readonly proves:
    | "the broker runs"
    | "a listener runs"
    | "no listener"
    | "another program"
    | "nothing";
  /** What a client does first. */
  readonly first: NextStep;
  /** What it does when the same contact has been met for too long. */
  readonly last: NextStep;
  /** Whether it may lead, in time and with a verified identity, to the end of the process. */
  readonly countsAsSilence: boolean;
  /** Whether a socket file at that address may be removed. */
  readonly provesUnused: boolean;
}

const EVIDENCE: Readonly<Record<ContactKind, Evidence>> = {
  hello: evidence("the broker runs", "use", "use"),
  rejected: evidence("the broker runs", "fail", "fail"),
  stranger: evidence("another program", "supersede", "supersede"),
  closed: evidence("a listener runs", "ask", "supersede"),
  silent: { ...evidence("nothing", "ask", "supersede"), countsAsSilence: true },
  refused: {
    ...evidence("no listener", "supersede", "supersede"),
    countsAsSilence: true,
    provesUnused: true,
  },
  misplaced: evidence("no listener", "supersede", "supersede"),
  denied: evidence("nothing", "fail", "fail"),
  unable: evidence("nothing", "ask", "fail"),
};

/** Sockets do not cross hosts: only a response says anything about a broker of another one. */
const FROM_ANOTHER_HOST = evidence("nothing", "fail", "fail");
/** The broker reports its own end, and writes its exit record in a moment. */
const ENDING = evidence("the broker runs", "ask", "supersede");

/** Rejections that concern the client or the load. Every other one is the report of a broker that ends. */
const STAYS: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "tooManySessions",
  "tooManyRequests",
  "tooManyThreads",
  "clientTooSlow",
  "protocolMismatch",
  "invalidRequest",
  "parseError",
  "frameTooLarge",
  "notInitialized",
  "usage",
  "brokerUnavailable",
]);

/** @param otherHost whether the record names a process of another host. */
export function evidenceOf(contact: Contact, otherHost: boolean): Evidence {
  const { kind } = contact;
  if (kind === "rejected") return STAYS.has(contact.error.kind) ? EVIDENCE.rejected : ENDING;
  const isLocal = kind === "hello" || kind === "denied" || kind === "unable";
  return otherHost && !isLocal ? FROM_ANOTHER_HOST : EVIDENCE[kind];
}

/** Whether a connection attempt that ended like this proves that no process listens there. */
export function provesUnused(kind: ContactKind | "accepted"): boolean {
  return kind !== "accepted" && EVIDENCE[kind].provesUnused;
}

/** Why the file of an epoch could not be read. */
export interface Unreadable {
  /** What stands there is no record. Otherwise it could not be read, which proves nothing. */
  readonly damaged: boolean;
  /** Of the system error; undefined when it was read, and is no record. */
  readonly code: string | undefined;
}

export function evidenceOfUnreadable({ damaged, code }: Unreadable): Evidence {
  if (damaged) return evidence("no listener", "supersede", "supersede");
  const isDenied = code === "EACCES" || code === "EPERM";
  return evidence("nothing", isDenied ? "fail" : "ask", "fail");
}

/** Errors that say what stands there instead of a file. No broker has put it there. */
const NO_FILE = new Set<string | undefined>(["EISDIR", "ELOOP", "ENOTDIR", "ENXIO"]);

/** Whether a failed read proves that there is no record. */
export function provesNoRecord(code: string | undefined): boolean {
  return NO_FILE.has(code);
}

function evidence(proves: Evidence["proves"], first: NextStep, last: NextStep): Evidence {
  return { proves, first, last, countsAsSilence: false, provesUnused: false };
}
