import { shellWord } from "../../base/shell-word.ts";
import type { Contact } from "../../lifecycle/evidence.ts";
import { crashLoopIn } from "../../lifecycle/crash-loop.ts";
import {
  epochPath,
  LAST_EPOCH,
  type ClaimedRecord,
  type EndedRecord,
  type EpochReading,
  type ServingRecord,
} from "../../lifecycle/epoch-file.ts";
import { BROKER_PROTOCOL } from "../../wire/broker-protocol.ts";
import { finding, type Finding } from "../finding.ts";
import type { EpochSeen, Observations, ScopeSeen, ServingSeen } from "../observations.ts";

/** A claim that has not led to a broker by then is given up by every client. */
const CLAIM_LIMIT_MS = 15_000;
/** Interrupts, the clients' move and the shutdown are bounded to less than that together. */
const DRAIN_GRACE_MS = 60_000;

export function* diagnoseEpochs(scope: ScopeSeen, { now }: Observations): Generator<Finding> {
  yield* diagnoseCrashLoop(scope, now);
  for (const [place, seen] of scope.epochs.entries()) {
    const { reading } = seen;
    if (reading.epoch === LAST_EPOCH) yield lastEpoch(scope);
    if (reading.state === "unreadable") {
      yield unreadable(scope, reading, place === 0);
      continue;
    }
    const { record } = reading;
    if (record.state === "claimed") {
      yield* diagnoseClaim(scope, record, seen, now, place === 0);
    } else if (record.state === "serving" && seen.serving !== undefined) {
      yield* diagnoseServing(scope, record, seen.serving);
    }
  }
}

function lastEpoch(scope: ScopeSeen): Finding {
  const file = epochPath(scope.directory, LAST_EPOCH);
  return finding(
    "lastEpoch",
    `${file} is of the last epoch there is, so no broker can be started after it.`,
    "`codex-broker doctor --fix` moves it aside; no broker gets that far.",
    {
      details: { scope: scope.key, epoch: LAST_EPOCH, path: file },
      remedy: { kind: "moveLastEpochAside", scopeDir: scope.directory },
    },
  );
}

type Unreadable = Extract<EpochReading, { state: "unreadable" }>;

function unreadable(
  scope: ScopeSeen,
  { epoch, why, damaged }: Unreadable,
  newest: boolean,
): Finding {
  const file = epochPath(scope.directory, epoch);
  const next = newest
    ? nextForNewest(file, damaged, epoch)
    : `It is in nobody's way; remove it by hand when you have looked at it: \`unlink ${shellWord(file)}\`.`;
  return finding(
    "epochUnreadable",
    `The file of epoch ${epoch}, ${file}, cannot be read: ${why}.`,
    next,
    {
      details: { scope: scope.key, epoch, path: file, why },
    },
  );
}

function nextForNewest(file: string, damaged: boolean, epoch: number): string {
  if (epoch === LAST_EPOCH) return "It has a finding of its own.";
  return damaged
    ? "The next client passes over it by itself: `codex-broker ensure`."
    : `Clients wait and then fail, because a broker may hold that epoch. Make ${file} readable for its user.`;
}

function* diagnoseCrashLoop({ key, epochs }: ScopeSeen, now: number): Generator<Finding> {
  const endings: EndedRecord[] = [];
  for (const { reading, hasOtherCause } of epochs) {
    if (reading.state !== "read" || reading.record.state !== "ended") break;
    if (hasOtherCause === true) break;
    endings.push(reading.record);
  }
  const loop = crashLoopIn(endings, now, 0.5);
  if (loop === undefined) return;
  const reasons = [...new Set(loop.reasons)].slice(0, 3).join("; ");
  const where = endings[0]?.workspace;
  yield finding(
    "crashLoop",
    `The last ${loop.count} brokers${where === undefined ? "" : ` of ${where}`} failed one after the other, so the ` +
      `next start waits ${Math.ceil(loop.waitMs / 1000)} s: ${withoutEnd(reasons)}.`,
    "Read `codex-broker logs`, mend the cause, then `codex-broker ensure`.",
    { details: { scope: key, ...loop } },
  );
}

function* diagnoseClaim(
  scope: ScopeSeen,
  record: ClaimedRecord,
  seen: EpochSeen,
  now: number,
  newest: boolean,
): Generator<Finding> {
  const { epoch, claimant } = record;
  const details = { scope: scope.key, epoch, pid: claimant.pid };
  if (seen.claimantOfAnotherBoot === true) {
    yield finding(
      "staleEpoch",
      `Epoch ${epoch} was claimed before the system was started anew, and has no last word.`,
      "`codex-broker doctor --fix` writes it up.",
      { details, remedy: { kind: "bury", scopeDir: scope.directory, record } },
    );
    return;
  }
  const ageMs = now - Date.parse(record.claimedAt);
  const given = seen.claimant === "gone" || ageMs > CLAIM_LIMIT_MS;
  if (!newest || !given) return;
  const how =
    seen.claimant === "gone" ? "and ended before it had a broker" : "and has no broker yet";
  yield finding(
    "abandonedClaim",
    `Process ${claimant.pid} claimed epoch ${epoch} ${how}.`,
    "The next client passes over it by itself: `codex-broker ensure`.",
    { details },
  );
}

function* diagnoseServing(
  scope: ScopeSeen,
  record: ServingRecord,
  seen: ServingSeen,
): Generator<Finding> {
  if (seen.broker === "gone") {
    yield* diagnoseDeparted(scope, record, seen);
  } else if (seen.contact !== undefined) {
    yield* diagnoseContact(scope, record, seen, seen.contact);
  }
}

function* diagnoseDeparted(
  scope: ScopeSeen,
  record: ServingRecord,
  { appServer, descendants }: ServingSeen,
): Generator<Finding> {
  const details = detailsOf(scope, record);
  if (appServer === "alive" && record.appServer !== null) {
    const { pid } = record.appServer;
    const family = descendants === 0 ? "" : `, and so do ${descendants} of its helpers`;
    yield finding(
      "orphanedAppServer",
      `The app-server of ${nameOf(record)} (process ${pid}) still runs without its broker${family}.`,
      "`codex-broker doctor --fix` ends it, and them.",
      {
        details: { ...details, appServer: pid, descendants },
        remedy: { kind: "endOrphan", scopeDir: scope.directory, record },
      },
    );
  }
  yield finding(
    "staleEpoch",
    `The broker of ${nameOf(record)} (process ${record.broker.pid}) is gone and left no word.`,
    "`codex-broker doctor --fix` writes its obituary; so would its successor.",
    { details, remedy: { kind: "bury", scopeDir: scope.directory, record } },
  );
}

function* diagnoseContact(
  scope: ScopeSeen,
  record: ServingRecord,
  seen: ServingSeen,
  contact: Contact,
): Generator<Finding> {
  const details = detailsOf(scope, record);
  const who = `The broker of ${nameOf(record)} (process ${record.broker.pid})`;
  if (contact.kind === "hello") return yield* diagnoseHello(scope, record, seen, contact.hello);
  if (contact.kind === "denied") {
    return yield finding(
      "sandboxDenied",
      `The system does not allow a connection to ${record.endpoint} (${contact.code}): this looks like a sandbox.`,
      "Allow the sandbox to connect to that socket, or run outside of it; nothing was started instead.",
      { details: { ...details, endpoint: record.endpoint, errno: contact.code } },
    );
  }
  if (contact.kind === "rejected") {
    return yield finding(
      "fullBroker",
      `${who} answers, and rejects this client: ${withoutEnd(contact.error.message)}.`,
      contact.error.hint,
      { details: { ...details, kind: contact.error.kind } },
    );
  }
  if (contact.kind === "unable") {
    return yield finding(
      "unaskedBroker",
      `${who} could not be asked: this program cannot connect to ${record.endpoint} (${contact.code}).`,
      "Nothing is known about it. Close files, or raise the limits of this process, and run `codex-broker doctor` again.",
      { details: { ...details, endpoint: record.endpoint, errno: contact.code } },
    );
  }
  if (contact.kind === "closed") {
    return yield finding(
      "unaskedBroker",
      `${who} takes connections and closes them (${contact.code}): it may have no descriptors left.`,
      "Its turns go on. `codex-broker rotate` gets a new broker for new work.",
      { details: { ...details, endpoint: record.endpoint, errno: contact.code } },
    );
  }
  if (seen.forgotten !== undefined && isUnused(contact)) {
    return yield finding(
      "unprovableBroker",
      `${who} is a ${seen.forgotten.reason}. It is listed no longer.`,
      "`codex-broker doctor --fix` writes its obituary, and signals nothing.",
      {
        details: { ...details, ...seen.forgotten },
        remedy: { kind: "writeOff", scopeDir: scope.directory, record },
      },
    );
  }
  if (seen.broker === "unknown") {
    return yield finding(
      "unprovableBroker",
      `${who} belongs to another host, boot or container, so nothing can be proven about it from here, and no signal is sent.`,
      `Run \`codex-broker doctor\` there. If that place is gone for good: \`unlink ${shellWord(epochPath(scope.directory, record.epoch))}\`. Until then, a client that meets this record on another host gets an error.`,
      { details: { ...details, hostId: record.broker.hostId } },
    );
  }
  if (contact.kind === "stranger") {
    return yield finding(
      "strangerAnswers",
      `Something else than ${nameOf(record)} answers on ${record.endpoint}: ${withoutEnd(contact.why)}.`,
      "The next client gets a broker of its own: `codex-broker ensure`.",
      { details: { ...details, endpoint: record.endpoint } },
    );
  }
  const remedy = { kind: "endSilent", scopeDir: scope.directory, record } as const;
  yield contact.kind === "silent"
    ? finding(
        "silentBroker",
        `${who} does not answer.`,
        "`codex-broker doctor --fix` asks for half a minute more, and then ends it by proof.",
        { details, remedy },
      )
    : finding(
        "endingBroker",
        `${who} listens no more and has not ended yet.`,
        "It should be gone in a moment; `codex-broker doctor --fix` waits for that, and else ends it by proof.",
        { details, remedy },
      );
}

function* diagnoseHello(
  scope: ScopeSeen,
  record: ServingRecord,
  { status }: ServingSeen,
  hello: Extract<Contact, { kind: "hello" }>["hello"],
): Generator<Finding> {
  const details = detailsOf(scope, record);
  const who = `The broker of ${nameOf(record)} (process ${record.broker.pid})`;
  if (hello.protocol !== BROKER_PROTOCOL) {
    yield finding(
      "otherProtocol",
      `${who} speaks protocol ${hello.protocol}, this program ${BROKER_PROTOCOL}.`,
      "Update the older side: `npm install -g codex-broker@latest`.",
      { details: { ...details, protocol: hello.protocol } },
    );
  }
  if (status?.endsWithHost === true) {
    yield finding(
      "endsWithHost",
      `${who} is in a job of the program that started it, which does not let it out: when that ends, it is ended too.`,
      "Start it from a terminal of your own: `codex-broker stop`, then `codex-broker ensure` there.",
      { details },
    );
  }
  const silence = hello.appServer.unansweredMs;
  if (silence > 0) {
    yield finding(
      "silentAppServer",
      `The app-server of ${nameOf(record)} (process ${String(hello.appServer.pid)}) has not answered for ${seconds(silence)}.`,
      "Its broker ends it, and itself, when that lasts; `codex-broker rotate` gets a new one at once.",
      { details: { ...details, unansweredMs: silence } },
    );
  }
  const { forMs, limitMs } = status?.drain ?? { forMs: 0, limitMs: null };
  if (limitMs !== null && forMs > limitMs + DRAIN_GRACE_MS) {
    yield finding(
      "stuckDrain",
      `${who} has been ending for ${seconds(forMs)}; its limit was ${seconds(limitMs)}.`,
      "`codex-broker doctor --fix` asks it to interrupt its turns, as it should have done by itself.",
      { details: { ...details, forMs, limitMs }, remedy: { kind: "endDrain", record } },
    );
  }
}

/** No listener, or another program: the broker is not at its address. */
function isUnused({ kind }: Contact): boolean {
  return kind === "refused" || kind === "misplaced" || kind === "stranger";
}

function nameOf({ epoch, workspace }: ServingRecord): string {
  return `epoch ${epoch} of ${workspace}`;
}

function detailsOf({ key }: ScopeSeen, record: ServingRecord): Record<string, unknown> {
  const { workspace, epoch, broker } = record;
  return { scope: key, workspace, epoch, pid: broker.pid };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** Somebody else's sentence becomes part of ours. */
function withoutEnd(text: string): string {
  return text.replace(/[.\s]+$/, "");
}
