import type { v2 } from "../app-server/generated/index.ts";
import type { Policy } from "../wire/policy.ts";
import type { QuestionHandler } from "./inbox.ts";

export interface TurnOptions {
  /** What Codex is asked to do; or the items of an input, for images and the like. */
  readonly prompt: string | readonly v2.UserInput[];
  /** Continues this thread. Default: a new one. */
  readonly threadId?: string;
  /** Where the turn works. Default: the workspace. */
  readonly cwd?: string;
  readonly model?: string;
  readonly effort?: string;
  /** Replaces the permission profile that Codex's configuration selects, with all that it hides. */
  readonly sandbox?: v2.SandboxMode;
  /** A permission profile by its name; not together with `sandbox`. */
  readonly permissions?: string;
  /** Further settings of Codex for the thread, as `config.toml` names them. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly approvalPolicy?: v2.AskForApproval;
  /** JSON Schema for the final message. */
  readonly outputSchema?: unknown;
  /** Leaves nothing on disk; such a thread cannot be resumed. */
  readonly ephemeral?: boolean;
  /**
   * What becomes of this turn while its thread runs another: refused with `threadBusy`, or begun when
   * those before it have ended. Default: "refuse".
   */
  readonly whenBusy?: "refuse" | "queue";
  /**
   * Milliseconds after which the turn is interrupted, or its wait for the thread ended; Infinity for no
   * limit. Default: none, a turn may run for hours; a wait for the thread ends after half an hour.
   */
  readonly timeoutMs?: number;
  /** Milliseconds of silence after which the turn counts as stalled. Default: never. */
  readonly stallMs?: number;
  /** What becomes of a stalled turn: an event tells of it, or it is interrupted too. Default: "report". */
  readonly onStall?: "report" | "interrupt";
  /**
   * Stays subscribed to the thread when the turn has ended, so that its later events reach the client.
   * Otherwise a thread that only turns of this client have used is released a second later, and Codex
   * unloads it with its MCP servers; the next turn on it has the same settings. Default: false.
   */
  readonly keepThread?: boolean;
  /** Interrupts the turn. */
  readonly signal?: AbortSignal;
  /**
   * What this turn may do without anybody being asked. Default: what the client was connected with.
   * Where it names MCP tools and Codex would refuse them unasked, the turn's approval policy is changed
   * so that it asks about them, and about nothing else; the thread keeps that.
   */
  readonly policy?: Policy;
  /** Answers approvals and other questions of this turn and its sub-agents. Default: the client's handler. */
  readonly onQuestion?: QuestionHandler;
}

/** A review by Codex's own reviewer. Its text is the final message. */
export interface ReviewOptions extends Omit<TurnOptions, "prompt" | "effort" | "outputSchema"> {
  readonly target: v2.ReviewTarget;
}

/** A turn that runs already. What happened in it so far is told first. */
export interface JoinOptions {
  readonly threadId: string;
  /** Milliseconds after which the turn is interrupted: whoever joins one may do that too. */
  readonly timeoutMs?: number;
  /** Interrupts the turn. */
  readonly signal?: AbortSignal;
  /** Answers the questions of this turn, unless another one who hears it is faster. */
  readonly onQuestion?: QuestionHandler;
}

/** Any of them: with neither a prompt nor something to review it joins the turn that runs. */
export type RunOptions = Omit<TurnOptions, "prompt"> &
  Partial<Pick<TurnOptions, "prompt"> & Pick<ReviewOptions, "target">>;
