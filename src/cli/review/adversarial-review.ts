import { BrokerError } from "../../base/errors.ts";
import { isRecord } from "../../wire/messages.ts";
import schema from "./review.schema.json" with { type: "json" };
import { misfit } from "./schema-fit.ts";

export type Severity = "critical" | "high" | "medium" | "low";

export interface ReviewFinding {
  readonly title: string;
  readonly body: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Null for the whole file. */
  readonly lineStart: number | null;
  readonly lineEnd: number | null;
  readonly severity: Severity;
  /** From 0 to 1. */
  readonly confidence: number;
  readonly recommendation: string;
}

/** What review.schema.json describes. */
export interface AdversarialReview {
  readonly verdict: "approve" | "needs-attention";
  readonly summary: string;
  /** The worst first. */
  readonly findings: readonly ReviewFinding[];
  readonly nextSteps: readonly string[];
}

export const reviewSchema: unknown = schema;

/** Whether a turn was asked for such a review. It may have been by another version. */
export function asksForReview(outputSchema: unknown): boolean {
  return isRecord(outputSchema) && outputSchema["title"] === schema.title;
}

const ORDER: readonly Severity[] = ["critical", "high", "medium", "low"];

/** @throws BrokerError `replyUnfit`, with the reply itself in its details. */
export function reviewIn(reply: string, threadId: string): AdversarialReview {
  const value = parse(reply);
  const place = value === undefined ? "the reply is not JSON" : misfit(schema, value);
  if (place === undefined) {
    const review = value as AdversarialReview;
    return { ...review, findings: worstFirst(review.findings) };
  }
  throw new BrokerError(
    "replyUnfit",
    `Codex's review is not in the form that it was asked for: ${place}.`,
    {
      details: { threadId, place, reply },
      hint: `Ask for it again with \`codex-broker run --resume ${threadId}\`, or review anew.`,
    },
  );
}

function parse(reply: string): unknown {
  try {
    return JSON.parse(reply);
  } catch {
    return undefined;
  }
}

function worstFirst(findings: readonly ReviewFinding[]): readonly ReviewFinding[] {
  return findings.toSorted(
    (a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || b.confidence - a.confidence,
  );
}
