import * as v from "valibot";

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
