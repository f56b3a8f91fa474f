import { Deadline, monotonicMs, pause } from "../base/deadline.ts";
import { trace } from "../base/trace.ts";
import { isEmptied, settingsFiles } from "../lifecycle/codex-settings.ts";
import {
  completed,
  driftBetween,
  readCircumstances,
  type Circumstances,
} from "../lifecycle/drift.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { FileLane } from "../os/file-lane.ts";
import { readSignature } from "../os/file-mark.ts";

/** A file that is being written now does not say what a successor will start with. */
const SETTLED_AFTER_MS = 1_000;
/** A file that has lost its content is probably being written anew. */
const EMPTIED_AFTER_MS = 10_000;
/** The files may be on a remote disk: no answer within this time proves nothing. */
const ANSWER_WITHIN_MS = 5_000;

export interface DriftWatchOptions {
  /** What the app-server started with. */
  readonly before: Pick<ServingRecord, "codex" | "codexHome" | "workspace" | keyof Circumstances>;
  /** For the files of Codex. */
  readonly lane: FileLane;
  /** Whether the app-server opens a thread now, at which it may write the trust in the workspace itself. */
  readonly opensThread: () => boolean;
  /** Called once for each change that has settled. */
  readonly onDrift: (reason: string) => void;
}

interface Candidate {
  readonly reason: string;
  /** What was found: another value begins another wait. */
  readonly found: string;
  /** Since when it has been so, in monotonic time. */
  readonly since: number;
  readonly settlesAfterMs: number;
}

/** Detects that the broker was started under other circumstances than a successor would be. */
export class DriftWatch {
  readonly #options: DriftWatchOptions;
  #before: Circumstances;
  #candidate: Candidate | undefined;
  #reported: string | undefined;
  #looking: Promise<void> | undefined;
  /** Signature of the files when nothing had changed. */
  #calm: string | undefined;
  #threadsOpened = 0;
  /** How many threads had been opened when the trust was last seen unchanged. */
  #openedBefore = 0;

  constructor(options: DriftWatchOptions) {
    this.#options = options;
    this.#before = options.before;
  }

  /** The app-server has opened a thread. */
  threadOpened(): void {
    this.#threadsOpened += 1;
  }

  /** Looks once. Never rejects; a look that is under way is joined. */
  look(): Promise<void> {
    const { lane } = this.#options;
    // An operation of another that hangs would be waited for in vain.
    if (this.#looking === undefined && lane.busy) return Promise.resolve();
    this.#looking ??= lane
      .run(() => this.#look(), ANSWER_WITHIN_MS)
      .catch((error: unknown) => trace("info", "drift.unseen", { error: String(error) }))
      .finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  /**
   * Returns what has changed, as far as that is known within the time. A change that is so young that
   * the file may still be written is looked at again first.
   */
  async reason(withinMs: number): Promise<string | undefined> {
    const deadline = Deadline.after(withinMs);
    const late = new Error("late");
    for (;;) {
      await deadline.race(this.look(), () => late).catch(() => {});
      const candidate = this.#candidate;
      if (candidate === undefined) return undefined;
      const missingMs = candidate.since + candidate.settlesAfterMs - monotonicMs();
      if (missingMs <= 0) return candidate.reason;
      if (missingMs >= deadline.remainingMs) return undefined;
      await pause(missingMs);
    }
  }

  async #look(): Promise<void> {
    const opensThread = this.#options.opensThread();
    const opened = this.#threadsOpened;
    const { codex, codexHome } = this.#options.before;
    const files = await readSignature([codex, ...settingsFiles(codexHome)]);
    if (files.text === this.#calm) {
      this.#openedBefore = opened;
      return;
    }
    const now = await readCircumstances(this.#options.before);
    this.#before = completed(this.#before, now);
    const mayBeOwn =
      opensThread || this.#options.opensThread() || this.#threadsOpened > this.#openedBefore;
    if (mayBeOwn) this.#adoptOwnTrust(now);
    const { trust } = now.settings;
    if (trust === this.#before.settings.trust) this.#openedBefore = opened;
    const reason = driftBetween(this.#before, now);
    this.#calm = reason === undefined && files.ageMs > SETTLED_AFTER_MS ? files.text : undefined;
    this.#weigh(reason, now, files.ageMs);
  }

  /** Codex notes the trust in a project when it opens the first thread there that may write. */
  #adoptOwnTrust(now: Circumstances): void {
    if (this.#before.settings.trust !== "" || now.settings.trust !== "trusted") return;
    const settings = { ...this.#before.settings, trust: now.settings.trust };
    this.#before = { ...this.#before, settings };
  }

  #weigh(reason: string | undefined, now: Circumstances, ageMs: number): void {
    if (reason === undefined) {
      this.#candidate = undefined;
      return;
    }
    const emptied = isEmptied(this.#before.settings, now.settings);
    const found = JSON.stringify(now);
    if (this.#candidate?.found !== found) {
      const since = monotonicMs() - (emptied ? 0 : ageMs);
      const settlesAfterMs = emptied ? EMPTIED_AFTER_MS : SETTLED_AFTER_MS;
      this.#candidate = { reason, found, since, settlesAfterMs };
    }
    const { since, settlesAfterMs } = this.#candidate;
    if (this.#reported === found || monotonicMs() - since < settlesAfterMs) return;
    this.#reported = found;
    this.#options.onDrift(reason);
  }
}
