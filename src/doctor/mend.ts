import { lstatSync, readlinkSync } from "node:fs";
import path from "node:path";
import { Deadline, pause } from "../base/deadline.ts";
import { messageOf } from "../base/errors.ts";
import { makeContact } from "../lifecycle/contact.ts";
import { processesOfOtherBrokers } from "../lifecycle/living-brokers.ts";
import {
  askOnce,
  bury,
  END_AFTER_SILENCE_MS,
  endByProof,
  isHung,
  isProvenGone,
} from "../lifecycle/departed.ts";
import {
  moveLastEpochAside,
  type ClaimedRecord,
  type ServingRecord,
} from "../lifecycle/epoch-file.ts";
import { provesUnused } from "../lifecycle/evidence.ts";
import { ownerOfSocket } from "../lifecycle/socket-owner.ts";
import { writeOff } from "../lifecycle/write-off.ts";
import { removeIfThere, UNFINISHED } from "../os/atomic-file.ts";
import { SOCKET_NAME } from "../os/endpoint.ts";
import { killTreeProven, provenDescendants } from "../os/kill-tree.ts";
import { closeToOthers, isPrivate } from "../os/private-directory.ts";
import { Silence } from "../lifecycle/silence.ts";
import { livenessOf } from "../os/process-identity.ts";
import type { Finding } from "./finding.ts";
import { isGoneWithin } from "./is-gone-within.ts";
import { introduction } from "./observe/epochs.ts";
import { reach } from "./observe/reach.ts";
import { endPluginBroker } from "./plugin/end-plugin-broker.ts";
import { done, left, type Mended, type Remedy } from "./remedy.ts";

/** An app-server whose broker has just gone ends by itself within this time, and its helpers with it. */
const ORPHAN_GRACE_MS = 3_000;
/** The kernel needs no grace, only time. */
const KILLED_WITHIN_MS = 5_000;
/** Longer than a forced end takes. */
const FORCED_END_MS = 30_000;
const ASK_AGAIN_MS = 1_000;

type Of<Kind extends Remedy["kind"]> = Extract<Remedy, { kind: Kind }>;

/** A finding after `--fix` has gone over it. */
export interface MendedFinding {
  readonly finding: Finding;
  /** Undefined when there was nothing that is provably safe to do. */
  readonly mended: Mended | undefined;
}

/**
 * Does what is provably safe, finding by finding. What has to be waited for is waited for side by side.
 *
 * @param onWait Told what is waited for, and for how long at most.
 */
export async function mendAll(
  findings: readonly Finding[],
  onWait: (what: string) => void,
): Promise<MendedFinding[]> {
  const slow = new Map(
    findings
      .filter(({ remedy }) => remedy?.kind === "endSilent")
      .map((finding) => [finding, mend(finding.remedy, onWait)]),
  );
  const mended: MendedFinding[] = [];
  for (const finding of findings) {
    mended.push({ finding, mended: await (slow.get(finding) ?? mend(finding.remedy, onWait)) });
  }
  return mended;
}

async function mend(
  remedy: Remedy | undefined,
  onWait: (what: string) => void,
): Promise<Mended | undefined> {
  if (remedy === undefined) return undefined;
  try {
    return await apply(remedy, onWait);
  } catch (thrown) {
    return { done: false, did: messageOf(thrown) };
  }
}

async function apply(remedy: Remedy, onWait: (what: string) => void): Promise<Mended> {
  switch (remedy.kind) {
    case "closeDirectory":
      closeToOthers(remedy.path);
      return done(
        `closed ${remedy.path} to everybody else; run the doctor again for what is in it`,
      );
    case "bury":
      return await buryNow(remedy);
    case "writeOff":
      return writeOff(remedy.scopeDir, remedy.record)
        ? done("wrote its obituary")
        : left("it has given a sign of life");
    case "endOrphan":
      return await endOrphan(remedy);
    case "endSilent":
      return await endSilent(remedy.scopeDir, remedy.record, onWait);
    case "endDrain":
      return await endDrain(remedy.record);
    case "removeSocket":
      return await removeSocket(remedy);
    case "removeLink":
      return await removeLink(remedy);
    case "removeUnfinished":
      return removeUnfinished(remedy.path);
    case "moveLastEpochAside":
      return moveAside(remedy.scopeDir);
    case "endPluginBroker":
      return await endPluginBroker(remedy.broker);
  }
}

async function buryNow({ scopeDir, record }: Of<"bury">): Promise<Mended> {
  const reason =
    record.state === "serving"
      ? `process ${record.broker.pid} is gone and left no word`
      : "the system was started anew";
  if (await buryWithCare(scopeDir, record, reason)) return done("wrote its obituary");
  return isProvenGone(record)
    ? done("its successor has written its obituary meanwhile")
    : left("it is not proven to be gone");
}

/** Spares the brokers that commands have started below it. */
async function buryWithCare(
  scopeDir: string,
  record: ClaimedRecord | ServingRecord,
  reason: string,
): Promise<boolean> {
  const others =
    record.state === "serving" ? await processesOfOtherBrokers(scopeDir, record.instance) : [];
  return bury(scopeDir, record, reason, others);
}

async function endOrphan({ scopeDir, record }: Of<"endOrphan">): Promise<Mended> {
  const { appServer } = record;
  if (appServer === null || livenessOf(record.broker) !== "gone") return left("it has a broker");
  if (await isGoneWithin(appServer, ORPHAN_GRACE_MS)) return done("it has ended by itself");
  const others = await processesOfOtherBrokers(scopeDir, record.instance);
  const helpers = provenDescendants(appServer, others).length;
  const outcome = killTreeProven(appServer, others);
  if (outcome === "unproven") return left("it is not proven to be that app-server any more");
  const family = helpers === 0 ? "" : ` and ${helpers} of its helpers`;
  return (await isGoneWithin(appServer, KILLED_WITHIN_MS))
    ? done(`ended process ${appServer.pid}${family}`)
    : left(`process ${appServer.pid} does not end: the kernel holds it`);
}

/** Slow is not dead: it gets as long as its successor would give it. */
async function endSilent(
  scopeDir: string,
  record: ServingRecord,
  onWait: (what: string) => void,
): Promise<Mended> {
  const { broker } = record;
  const limit = `${END_AFTER_SILENCE_MS / 1000} s`;
  onWait(`waiting up to ${limit} for process ${broker.pid} to answer or to end`);
  const deadline = Deadline.after(END_AFTER_SILENCE_MS);
  const silence = new Silence(broker);
  for (;;) {
    if (livenessOf(broker) === "gone") {
      await buryWithCare(scopeDir, record, `process ${broker.pid} is gone and left no word`);
      return done("it has ended by itself");
    }
    const answer = await askOnce(record);
    if (answer === "runs") return done("it answers again");
    if (answer === "unknown") return left("it cannot be asked from here, so it got no signal");
    silence.observe();
    if (isHung(silence)) break;
    if (deadline.expired && silence.idleMs < ASK_AGAIN_MS) {
      return left(`process ${broker.pid} is at work, so it may only be slow: it got no signal`);
    }
    await pause(ASK_AGAIN_MS);
  }
  const others = await processesOfOtherBrokers(scopeDir, record.instance);
  if (endByProof(record, others) === "unproven") {
    return left("it is not proven to be that broker, so it got no signal");
  }
  if (!(await isGoneWithin(broker, KILLED_WITHIN_MS))) {
    return left(`process ${broker.pid} does not end: the kernel holds it`);
  }
  bury(
    scopeDir,
    record,
    "it neither answered nor ended, and was ended by codex-broker doctor",
    others,
  );
  return done(`ended process ${broker.pid} after ${limit} of silence, and its app-server with it`);
}

async function endDrain(record: ServingRecord): Promise<Mended> {
  const deadline = Deadline.after(FORCED_END_MS);
  const { link } = await makeContact(record, introduction, deadline);
  if (link === undefined) return left("it does not answer any more");
  try {
    await link.connection.request("broker/stop", { force: true }, { deadline });
  } finally {
    link.connection.close();
  }
  return (await isGoneWithin(record.broker, deadline.remainingMs))
    ? done("interrupted its turns, and it has ended")
    : left("it was asked to interrupt its turns and has not ended yet");
}

/** The name is never used twice, so one on which nobody listens is of no use to anybody. */
async function removeSocket({ stateDir, path: file }: Of<"removeSocket">): Promise<Mended> {
  const ours = SOCKET_NAME.test(path.basename(file)) && isPrivate(path.dirname(file));
  if (!ours || !lstatSync(file).isSocket()) return left("it is not a socket of ours any more");
  const held = await whyHeld(stateDir, file, file);
  if (held !== undefined) return left(held);
  removeIfThere(file);
  return done("removed it");
}

async function removeLink({ stateDir, path: link, target }: Of<"removeLink">): Promise<Mended> {
  const held = await whyHeld(stateDir, link, target);
  if (held !== undefined) return left(held);
  if (!isPrivate(path.dirname(link)) || readlinkSync(link) !== target) {
    return left("it leads elsewhere by now");
  }
  removeIfThere(link);
  return done("removed it");
}

/** Why it is not proven that no broker uses this path any more; undefined when it is. */
async function whyHeld(
  stateDir: string,
  file: string,
  target: string,
): Promise<string | undefined> {
  if (ownerOfSocket(stateDir, file) !== "unused") return "a record leads there";
  const reached = await reach(target);
  if (provesUnused(reached)) return undefined;
  return reached === "accepted"
    ? "a process listens there again"
    : `nothing is proven (${reached})`;
}

function moveAside(scopeDir: string): Mended {
  const aside = moveLastEpochAside(scopeDir);
  return aside === undefined
    ? left("a process that it names may live, or it cannot be read")
    : done(`moved it to ${aside}`);
}

function removeUnfinished(file: string): Mended {
  if (!UNFINISHED.test(file) || !isPrivate(path.dirname(file))) return left("it is not ours");
  removeIfThere(file);
  return done("removed it");
}
