import type { JobEntry } from "../../src/jobs/job-entry.ts";

const request = {
  kind: "turn" as const,
  title: null,
  prompt: "say: ä 🙂",
  target: null,
  threadId: null,
  cwd: "/work",
  model: null,
  effort: null,
  sandbox: null,
  permissions: null,
  config: null,
  approvalPolicy: null,
  policy: null,
  outputSchema: null,
  timeoutMs: null,
  origin: null,
};

/** A job from its beginning to its end. */
export function wholeJob(id = "bcdf2345", day = "01"): JobEntry[] {
  const at = (second: string): string => `2026-11-${day}T10:00:${second}.000Z`;
  return [
    { type: "created", at: at("00"), job: id, epoch: 3, instance: "i", version: "1", request },
    {
      type: "started",
      at: at("01"),
      threadId: "t",
      turnId: "u",
      codex: "0.169.0",
      resolved: { model: "m", effort: null, cwd: "/work", sandbox: null, approvalPolicy: null },
    },
    { type: "item", at: at("02"), item: { type: "agentMessage", text: "ä 🙂" } },
    { type: "usage", at: at("03"), usage: { total: 1 } },
    { type: "ended", at: at("04"), outcome: "completed", message: "ä 🙂", error: null },
  ];
}
