import type { Policy } from "./policy.ts";

/**
 * What was asked for. Kept as it came, so that whoever reads it later knows what the answer answers;
 * what is null was left to Codex's own settings.
 */
export interface JobRequest {
  /** A turn for a prompt, or a review by Codex's own reviewer. */
  readonly kind: "turn" | "review";
  /** Of a turn: a text, or the items of Codex's `UserInput`. Null for a review. */
  readonly prompt: string | readonly unknown[] | null;
  /** Of a review: Codex's `ReviewTarget`. Null for a turn. */
  readonly target: unknown;
  /** What it is called in lists; null for the beginning of the prompt. */
  readonly title: string | null;
  /** The thread to continue; null for a new one. */
  readonly threadId: string | null;
  readonly cwd: string | null;
  readonly model: string | null;
  readonly effort: string | null;
  readonly sandbox: string | null;
  /** Codex's permission profile; not together with a sandbox. */
  readonly permissions: string | null;
  /** Further settings of Codex for the thread. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly approvalPolicy: unknown;
  /** What it may do without anybody being asked; null for nothing. */
  readonly policy: Policy | null;
  readonly outputSchema: unknown;
  /** Milliseconds after which the turn is interrupted. */
  readonly timeoutMs: number | null;
  /** The session of a host that asked for it; null where there was none. */
  readonly origin: string | null;
}

/** How a job ended. `lost` means that nobody saw its end. */
export type Outcome = "completed" | "failed" | "cancelled" | "timedOut" | "lost";

/** Only the prompt has to be there, or for a review its kind and its target. */
export type JobStartParams = Partial<JobRequest>;

/** Answered when the turn has begun. */
export interface JobStarted {
  readonly job: string;
  readonly threadId: string;
  readonly turnId: string;
}

export interface JobNamed {
  readonly job: string;
}

/** Answered after all that was told of its turn before. */
export interface JobAttached {
  readonly job: string;
  readonly threadId: string;
}

/** Answered when the end is confirmed, or when there is no use in waiting for it. */
export interface JobCancelled {
  readonly job: string;
  /** How it ended; null while the end has not been confirmed. */
  readonly outcome: Outcome | null;
  /**
   * Its turn went on after two interrupts, so its broker takes no new work any more: the other turns
   * finish there, and then the turn ends with the app-server.
   */
  readonly escalated: boolean;
  /** Turns of others that run in that broker. */
  readonly otherTurns: number;
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
