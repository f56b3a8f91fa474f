import { BrokerError } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { journalPath } from "../jobs/job-directory.ts";
import { newJobId } from "../jobs/job-id.ts";
import { jobRequestIn } from "../jobs/job-request.ts";
import { Journal } from "../jobs/journal.ts";
import { removeOldJobs, setDamagedAside } from "../jobs/retention.ts";
import { ensurePrivateDirectory } from "../os/private-directory.ts";
import type {
  JobAttached,
  JobCancelled,
  JobRequest,
  JobStarted,
  RunningJob,
} from "../wire/job-protocol.ts";
import { JobRun } from "./job-run.ts";
import type { Peer } from "./peer.ts";
import type { Router } from "./router.ts";

export interface JobsOptions {
  readonly directory: string;
  readonly workspace: string;
  readonly epoch: number;
  readonly instance: string;
  readonly router: Router;
  /** The instances of brokers that may still run jobs. */
  readonly living: () => ReadonlySet<string>;
  readonly codexVersion: () => string | null;
  /** Why the broker ends, once it does. */
  readonly endsBecause: () => string | undefined;
  /** A job is about to begin, or has ended. */
  readonly onChange: () => void;
}

/** The jobs of this broker. What has ended stands in its journal, and nowhere else. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #running = new Map<string, JobRun>();
  /** Jobs whose journal is being created. */
  #creating = 0;
  #tidying = false;
  /** Journals whose beginning was found to be sound. */
  readonly #sound = new Set<string>();

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** Jobs without a turn yet: nobody else shows that there is something to do. */
  get beginning(): number {
    return this.#creating + this.running().filter(({ turnId }) => turnId === null).length;
  }

  /** Jobs whose end is not in their journal yet. */
  get open(): number {
    return this.#creating + this.#running.size;
  }

  running(): RunningJob[] {
    return [...this.#running.values()].map((job) => job.status());
  }

  /** @throws BrokerError `invalidRequest` or `stateDirUnusable`, or why the turn did not begin. */
  async start(params: unknown): Promise<JobStarted> {
    const request = jobRequestIn(params);
    const { router, workspace, onChange, codexVersion, endsBecause } = this.#options;
    const id = newJobId();
    this.#creating += 1;
    onChange();
    let job: JobRun;
    try {
      const journal = await this.#createJournal(id, request);
      const codex = codexVersion();
      job = new JobRun(id, request, { journal, router, workspace, codex, endsBecause });
      this.#running.set(id, job);
    } finally {
      this.#creating -= 1;
      onChange();
    }
    job.ended.then(
      () => {
        this.#forget(id);
        void this.#tidy();
      },
      // The client gets the error, and no other session knows the job.
      () => this.#forget(id),
    );
    const started = await job.start();
    trace("info", "job.started", { job: id, threadId: started.threadId });
    return started;
  }

  /**
   * While the broker drains too: it is nothing new that begins.
   *
   * @throws BrokerError `invalidRequest` for a job that does not run here, or has no thread yet.
   */
  attach(id: string, peer: Peer): JobAttached {
    const { threadId } = this.#runningJob(id).status();
    if (threadId === null) throw new BrokerError("invalidRequest", `Job ${id} has not begun yet.`);
    this.#options.router.attach(peer, threadId);
    return { job: id, threadId };
  }

  /** @throws BrokerError `invalidRequest` for a job that does not run here. */
  async cancel(id: string): Promise<JobCancelled> {
    const { router } = this.#options;
    const job = this.#runningJob(id);
    const outcome = await job.cancel();
    const { threadId } = job.status();
    const others = router.turns().filter((turn) => turn.threadId !== threadId);
    return { job: id, outcome, escalated: job.isStuck, otherTurns: others.length };
  }

  /** The thread's turn goes on though it was interrupted. */
  stuck(threadId: string): void {
    for (const job of this.#running.values()) {
      if (job.status().threadId === threadId) job.stuck();
    }
  }

  #runningJob(id: string): JobRun {
    const job = this.#running.get(id);
    if (job !== undefined) return job;
    throw new BrokerError("invalidRequest", `No job ${id} runs in this broker.`, {
      hint: "See `codex-broker jobs`.",
    });
  }

  async #createJournal(id: string, request: JobRequest): Promise<Journal> {
    const { directory, epoch, instance } = this.#options;
    ensurePrivateDirectory(directory);
    return await Journal.create(journalPath(directory, id), {
      type: "created",
      at: new Date().toISOString(),
      job: id,
      epoch,
      instance,
      version: BROKER_VERSION,
      request,
    });
  }

  #forget(id: string): void {
    this.#running.delete(id);
    this.#options.onChange();
  }

  /** In the background, and once at a time: nothing waits for it. Never rejects. */
  async #tidy(): Promise<void> {
    if (this.#tidying) return;
    this.#tidying = true;
    try {
      const { directory, living } = this.#options;
      const now = Date.now();
      const removed = await removeOldJobs(directory, { now, living });
      for (const id of removed) this.#sound.delete(id);
      if (removed.length > 0) trace("info", "jobs.removed", { jobs: removed });
      const setAside = await setDamagedAside(directory, now, this.#sound);
      if (setAside.length > 0) trace("warn", "jobs.setAside", { files: setAside });
    } catch (error) {
      trace("warn", "jobs.notTidied", { error: String(error) });
    } finally {
      this.#tidying = false;
    }
  }
}
