import { duration } from "../output/amounts.ts";
import type { HookAnswer } from "./hook-answer.ts";

export interface GateFinding {
  readonly title: string;
  readonly file: string;
  readonly line: number | null;
  readonly why: string;
}

/** What came of a review at the stop. No two of these ever look alike. */
export type GateOutcome =
  | { readonly kind: "ok"; readonly summary: string }
  | {
      readonly kind: "findings";
      readonly summary: string;
      readonly findings: readonly GateFinding[];
      readonly threadId: string;
    }
  | { readonly kind: "couldNotRun"; readonly why: string; readonly hint: string }
  | { readonly kind: "timedOut"; readonly afterMs: number };

/** Only findings keep the agent from stopping. */
export function answerOf(outcome: GateOutcome): HookAnswer {
  switch (outcome.kind) {
    case "ok":
      return { notice: `Codex review gate: nothing to mend. ${outcome.summary}`.trim() };
    case "findings":
      return { block: textOf(outcome) };
    case "couldNotRun":
      return {
        notice:
          `Codex review gate: could not run, so nothing was reviewed: ${outcome.why} ${outcome.hint}`.trim(),
      };
    case "timedOut":
      return {
        notice: `Codex review gate: not done within ${duration(outcome.afterMs)}, so nothing was reviewed. /codex-broker:review takes as long as it needs.`,
      };
  }
}

function textOf({
  summary,
  findings,
  threadId,
}: Extract<GateOutcome, { kind: "findings" }>): string {
  const lines = findings.map(({ title, file, line, why }) => {
    const place = line === null ? file : `${file}:${line}`;
    return `- ${title} (${place}): ${why}`;
  });
  return [
    `Codex has reviewed the work before the stop and found something to mend: ${summary}`,
    ...lines,
    "Mend what is right about this, and say what you leave as it is and why. This review is not repeated at the next stop.",
    `(Codex thread ${threadId})`,
  ].join("\n");
}
