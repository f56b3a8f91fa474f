import * as v from "valibot";
import { BrokerError } from "../base/errors.ts";
import type { Policy } from "../wire/policy.ts";

const word = v.pipe(v.string(), v.nonEmpty("must not be empty"));

/** A policy as it comes from a file or from a client. */
export const policySchema = v.strictObject({
  allow: v.array(
    v.variant("kind", [
      v.strictObject({
        kind: v.literal("command"),
        prefix: v.pipe(v.array(word), v.nonEmpty("must name at least the program")),
      }),
      v.strictObject({ kind: v.literal("fileChange") }),
      v.strictObject({
        kind: v.literal("mcpToolCall"),
        server: word,
        tool: v.exactOptional(word),
      }),
    ]),
  ),
});

/** Returns the first fault of a policy and its place, or undefined when it has none. */
export function faultOfPolicy(value: unknown): string | undefined {
  const [issue] = v.safeParse(policySchema, value).issues ?? [];
  return issue && `${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`;
}

/**
 * Refuses a policy of a program. A misspelt member must not count as absent: `{ server, tol }` would
 * allow every tool of the server.
 *
 * @throws BrokerError `usage`.
 */
export function checkPolicy(policy: Policy | undefined): void {
  const fault = policy === undefined ? undefined : faultOfPolicy(policy);
  if (fault === undefined) return;
  throw new BrokerError("usage", `The policy cannot be used: ${fault}.`, {
    hint: "Correct it; docs/cli.md lists the members of each rule.",
  });
}
