import * as v from "valibot";

/** JSON Schema of the answer; Codex is held to it. */
export const gateSchema = {
  type: "object",
  additionalProperties: false,
  required: ["verdict", "summary", "findings"],
  properties: {
    verdict: { type: "string", enum: ["pass", "mend"] },
    summary: { type: "string" },
    findings: {
      type: "array",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["title", "file", "line", "why"],
        properties: {
          title: { type: "string" },
          file: { type: "string" },
          line: { type: ["integer", "null"] },
          why: { type: "string" },
        },
      },
    },
  },
} as const;

const answer = v.object({
  verdict: v.picklist(["pass", "mend"]),
  summary: v.string(),
  findings: v.array(
    v.object({
      title: v.string(),
      file: v.string(),
      line: v.nullable(v.number()),
      why: v.string(),
    }),
  ),
});

export type GateAnswer = v.InferOutput<typeof answer>;

/** Undefined when the answer is not in the form that was asked for. */
export function gateAnswerIn(message: string): GateAnswer | undefined {
  try {
    const parsed = v.safeParse(answer, JSON.parse(message));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** What the agent said comes last: it may be anything. */
export function gatePrompt(lastMessage: string): string {
  return `Another coding agent has just ended its turn in this repository, and is about to stop. Decide whether its latest work may stand.

Look at the repository, not at its word: \`git status\`, \`git diff\` and the files themselves. Judge only what that turn changed. What was there before, and what others are changing at the same time, is not its business.

Answer "pass" at once when the turn changed no file: a question answered, a status, a plan, the output of a tool. Answer "pass" too when you find nothing that is wrong.

Answer "mend" only for something that would hurt if it stayed: a wrong result, lost data, a race, a broken caller, a hole in security, a test that proves nothing. Name the file and the line, and say what goes wrong and when. Taste, style and what might be nicer are no findings. Change nothing yourself.

What the agent said last:

${lastMessage === "" ? "(nothing)" : lastMessage}`;
}
