import { BrokerError } from "../base/errors.ts";
import { trace } from "../base/trace.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { journalPath, removeOldJobs } from "../jobs/job-directory.ts";
import { newJobId } from "../jobs/job-id.ts";
import { jobRequestIn } from "../jobs/job-request.ts";
import { Journal } from "../jobs/journal.ts";
import { removeIfThere } from "../os/atomic-file.ts";
import { ensurePrivateDirectory } from "../os/private-directory.ts";
import type { JobCancelled, JobStarted, RunningJob } from "../wire/job-protocol.ts";
import { JobRun } from "./job-run.ts";
import type { Router } from "./router.ts";

export interface JobsOptions {
  readonly directory: string;
  readonly epoch: number;
  readonly instance: string;
  readonly router: Router;
  readonly codexVersion: () => string | null;
  /** A turn goes on in spite of being interrupted: only with the app-server it ends. */
  readonly onStuck: (job: string) => void;
}

/** The jobs of this broker. What has ended stands in its journal, and nowhere else. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #running = new Map<string, JobRun>();

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  running(): RunningJob[] {
    return [...this.#running.values()].map((job) => job.status());
  }

  /** @throws BrokerError `invalidRequest` or `stateDirUnusable`, or why the turn did not begin. */
  async start(params: unknown): Promise<JobStarted> {
    const request = jobRequestIn(params);
    const { directory, epoch, instance, router, codexVersion, onStuck } = this.#options;
    ensurePrivateDirectory(directory);
    const id = newJobId();
    const file = journalPath(directory, id);
    const journal = new Journal(file, {
      type: "created",
      at: new Date().toISOString(),
      job: id,
      epoch,
      instance,
      version: BROKER_VERSION,
      request,
    });
    const job = new JobRun(id, request, {
      journal,
      router,
      codex: codexVersion(),
      onStuck: (threadId) => {
        router.giveUp(threadId);
        onStuck(id);
      },
    });
    this.#running.set(id, job);
    job.ended.then(
      () => this.#ended(id),
      () => {
        // The one who asked is told, and nobody else has heard of it.
        this.#running.delete(id);
        removeIfThere(file);
      },
    );
    const started = await job.start();
    trace("info", "job.started", { job: id, threadId: started.threadId });
    return started;
  }

  /** @throws BrokerError `invalidRequest` for a job that does not run here. */
  async cancel(id: string): Promise<JobCancelled> {
    const { router } = this.#options;
    const job = this.#running.get(id);
    if (job === undefined) {
      throw new BrokerError("invalidRequest", `No job ${id} runs in this broker.`, {
        hint: "See `codex-broker jobs`.",
      });
    }
    const outcome = await job.cancel();
    const { threadId } = job.status();
    const others = router.turns().filter((turn) => turn.threadId !== threadId);
    return { job: id, outcome, escalated: job.isStuck, otherTurns: others.length };
  }

  #ended(id: string): void {
    this.#running.delete(id);
    try {
      const removed = removeOldJobs(this.#options.directory, Date.now());
      if (removed.length > 0) trace("info", "jobs.removed", { jobs: removed });
    } catch (error) {
      trace("warn", "jobs.notTidied", { error: String(error) });
    }
  }
}
