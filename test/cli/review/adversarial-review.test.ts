import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  asksForReview,
  reviewIn,
  reviewSchema,
  type ReviewFinding,
} from "../../../src/cli/review/adversarial-review.ts";

const finding: ReviewFinding = {
  title: "It crashes",
  body: "When the list is empty.",
  file: "src/a.ts",
  lineStart: 3,
  lineEnd: 5,
  severity: "high",
  confidence: 0.8,
  recommendation: "Look first.",
};

const review = { verdict: "approve", summary: "Fine.", findings: [finding], nextSteps: ["test"] };

function read(value: unknown): unknown {
  return reviewIn(JSON.stringify(value), "the-thread");
}

test("what fits comes with the worst finding first, and among equals the surest", () => {
  const findings = [
    { ...finding, severity: "low" },
    { ...finding, confidence: 0.5 },
    { ...finding, confidence: 0.9, lineStart: null, lineEnd: null },
    { ...finding, severity: "critical", confidence: 0 },
  ];
  expect(read({ ...review, findings })).toMatchObject({
    findings: [
      { severity: "critical" },
      { severity: "high", confidence: 0.9 },
      { severity: "high", confidence: 0.5 },
      { severity: "low" },
    ],
  });
});

describe("F101: what does not fit is a failure that keeps the reply", () => {
  test.each<[value: unknown, place: string]>([
    [[], "the reply is not object"],
    [{ ...review, verdict: "perhaps" }, "the reply.verdict is not one of approve, needs-attention"],
    [{ ...review, summary: undefined }, "the reply has no summary"],
    [{ ...review, more: 1 }, 'the reply has a member "more" too many'],
    [{ ...review, findings: {} }, "the reply.findings is not array"],
    [
      { ...review, findings: [finding, { ...finding, lineStart: 1.5 }] },
      "the reply.findings[1].lineStart is not integer or null",
    ],
    [
      { ...review, findings: [{ ...finding, lineEnd: 0 }] },
      "the reply.findings[0].lineEnd is out of range",
    ],
    [
      { ...review, findings: [{ ...finding, confidence: 2 }] },
      "the reply.findings[0].confidence is out of range",
    ],
    [{ ...review, nextSteps: [1] }, "the reply.nextSteps[0] is not string"],
  ])("%j", (value, place) => {
    const reply = JSON.stringify(value);
    const failure = expect.objectContaining({
      kind: "replyUnfit",
      details: { threadId: "the-thread", place, reply },
    }) as Error;
    expect(() => read(value)).toThrow(failure);
  });

  test.each(["", "I could not look at it.", '{"verdict":'])("%j", (reply) => {
    const failure = expect.objectContaining({
      kind: "replyUnfit",
      details: { threadId: "t", place: "the reply is not JSON", reply },
    }) as Error;
    expect(() => reviewIn(reply, "t")).toThrow(failure);
  });
});

/** Every object of a schema. */
function objectsIn(schema: unknown): Array<Record<string, unknown>> {
  if (typeof schema !== "object" || schema === null) return [];
  const below = Object.values(schema).flatMap(objectsIn);
  return "properties" in schema ? [{ ...schema }, ...below] : below;
}

test("the schema demands all that it names, as strict outputs want it", () => {
  const objects = objectsIn(reviewSchema);
  expect(objects).toHaveLength(2);
  for (const { properties, required, additionalProperties } of objects) {
    expect(required).toEqual(Object.keys(properties as object));
    expect(additionalProperties).toBe(false);
  }
});

test("a turn that was asked for a review is known by its schema, of another version too", () => {
  expect(asksForReview(reviewSchema)).toBe(true);
  const file = readFileSync("src/cli/review/review.schema.json", "utf8");
  expect(asksForReview({ ...(JSON.parse(file) as object), properties: {} })).toBe(true);
  expect(asksForReview({ type: "object" })).toBe(false);
  expect(asksForReview(null)).toBe(false);
});
