import * as v from "valibot";
import { BrokerError } from "../base/errors.ts";
import { policySchema } from "../policy/policy-schema.ts";
import type { JobRequest } from "../wire/job-protocol.ts";

const text = v.optional(v.nullable(v.string()), null);

const settings = v.object({
  title: text,
  threadId: text,
  cwd: text,
  model: text,
  effort: text,
  sandbox: text,
  permissions: text,
  config: v.optional(v.nullable(v.record(v.string(), v.unknown())), null),
  approvalPolicy: v.optional(v.unknown(), null),
  policy: v.optional(v.nullable(policySchema), null),
  outputSchema: v.optional(v.unknown(), null),
  timeoutMs: v.optional(v.nullable(v.pipe(v.number(), v.minValue(1))), null),
  origin: text,
});

const prompt = v.union([
  v.pipe(v.string(), v.nonEmpty()),
  v.pipe(v.array(v.unknown()), v.nonEmpty()),
]);
const nothing = v.optional(v.null(), null);

const turn = v.object({
  ...settings.entries,
  kind: v.optional(v.literal("turn"), "turn"),
  prompt,
  target: nothing,
});

const review = v.object({
  ...settings.entries,
  kind: v.literal("review"),
  prompt: nothing,
  /** Codex knows what there can be. */
  target: v.looseObject({ type: v.string() }),
});

export const requestSchema = v.variant("kind", [review, turn]);

/**
 * What a client asks for, with what it left open said.
 *
 * @throws BrokerError `invalidRequest` with the place where it is not as it has to be.
 */
export function jobRequestIn(params: unknown): JobRequest {
  const parsed = v.safeParse(requestSchema, params);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const place = v.getDotPath(issue) ?? "params";
  throw new BrokerError("invalidRequest", `broker/job/start: ${place}: ${issue.message}`);
}
