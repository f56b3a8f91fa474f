import type { Remedy } from "./remedy.ts";

/** `error`: brokers cannot work · `warning`: they do, but something is not as it should be · `note`: good to know. */
export type Severity = "error" | "warning" | "note";

const severities = {
  // The ground that brokers stand on.
  stateDirRelative: "error",
  stateDirUnsafe: "error",
  stateDirUnusable: "error",
  stateDirChosen: "note",
  otherFormat: "note",
  socketPathTooLong: "error",
  socketFallback: "note",
  leftOverSocket: "warning",
  danglingCurrent: "warning",
  unfinishedFile: "warning",

  // Epochs and their brokers.
  epochUnreadable: "warning",
  lastEpoch: "error",
  staleEpoch: "warning",
  orphanedAppServer: "warning",
  abandonedClaim: "note",
  silentBroker: "error",
  endingBroker: "warning",
  fullBroker: "warning",
  unaskedBroker: "warning",
  silentAppServer: "warning",
  stuckDrain: "error",
  unprovableBroker: "warning",
  strangerAnswers: "warning",
  otherProtocol: "warning",
  endsWithHost: "warning",
  crashLoop: "error",
  siblingBrokers: "note",

  // What stands around them.
  sandboxDenied: "error",
  sandboxed: "note",
  noSandboxHere: "warning",
  nodeTooOld: "error",
  killsByNumber: "note",
  noProofHere: "note",
  workspaceInvalid: "error",
  codexHomeMissing: "error",
  codexHomeUnwritable: "error",
  codexNotFound: "error",
  codexUnusable: "error",
  codexTooOld: "error",
  otherCodex: "note",
  notLoggedIn: "warning",
  loginNotSeen: "note",
  loginUnreadable: "warning",
  endpointVariableDead: "warning",

  // What the published plugin leaves behind.
  pluginBrokerIdle: "warning",
  pluginBrokerKept: "note",
  pluginBrokerBusy: "note",
  pluginBrokerUnproven: "warning",
  pluginRecordStale: "note",
} as const satisfies Record<string, Severity>;

/** The closed union of everything that the doctor can find. Each has a row in docs/doctor.md. */
export type FindingCode = keyof typeof severities;

export const FINDING_CODES = Object.keys(severities) as readonly FindingCode[];

export function severityOf(code: FindingCode): Severity {
  return severities[code];
}

/** One thing that is worth saying, in a sentence, with what to type next. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  readonly message: string;
  readonly next: string;
  /** Facts for programs; nothing secret is among them. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What `--fix` may do about it, because it is provably safe. Absent: nothing. */
  readonly remedy?: Remedy;
}

interface More {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly remedy?: Remedy;
}

export function finding(
  code: FindingCode,
  message: string,
  next: string,
  more: More = {},
): Finding {
  const { details = {}, remedy } = more;
  const plain = { code, severity: severityOf(code), message, next, details };
  return remedy === undefined ? plain : { ...plain, remedy };
}

/** Whether it is more than a remark. */
export function isWrong({ severity }: Pick<Finding, "severity">): boolean {
  return severity !== "note";
}
