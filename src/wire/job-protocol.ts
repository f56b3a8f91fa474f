/**
 * What was asked for. Kept as it came, so that whoever reads it later knows what the answer answers;
 * what is null was left to Codex's own settings.
 */
export interface JobRequest {
  /** A text, or the items of Codex's `UserInput`. */
  readonly prompt: string | readonly unknown[];
  /** The thread to continue; null for a new one. */
  readonly threadId: string | null;
  readonly cwd: string | null;
  readonly model: string | null;
  readonly effort: string | null;
  readonly sandbox: string | null;
  readonly approvalPolicy: unknown;
  readonly outputSchema: unknown;
  /** Milliseconds after which the turn is interrupted. */
  readonly timeoutMs: number | null;
  /** The session of a host that asked for it; null where there was none. */
  readonly origin: string | null;
}

/** How a job ended. `lost` means that nobody saw its end. */
export type Outcome = "completed" | "failed" | "cancelled" | "timedOut" | "lost";

/** Only the prompt has to be there. */
export type JobStartParams = Pick<JobRequest, "prompt"> & Partial<JobRequest>;

/** Answered when the turn has begun. */
export interface JobStarted {
  readonly job: string;
  readonly threadId: string;
  readonly turnId: string;
}

export interface JobCancelParams {
  readonly job: string;
}

/** Answered when the end is confirmed, or when it was not within ten seconds. */
export interface JobCancelled {
  readonly job: string;
  /** How it ended; null while the end has not been confirmed. */
  readonly outcome: Outcome | null;
}

/** A job that runs in this broker. */
export interface RunningJob {
  readonly job: string;
  /** Null until Codex has named it. */
  readonly threadId: string | null;
  readonly turnId: string | null;
  /** Milliseconds since it was asked for. */
  readonly ageMs: number;
}
