import * as v from "valibot";
import { BrokerError } from "../base/errors.ts";
import type { Policy } from "../wire/policy.ts";
import { faultOfWords } from "./plain-words.ts";

const word = v.pipe(v.string(), v.nonEmpty("must not be empty"));

const words = v.pipe(
  v.array(word),
  v.nonEmpty("must name at least the program"),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? faultOfWords(dataset.value) : undefined;
    if (fault !== undefined) addIssue({ message: fault });
  }),
);

const prefix = v.pipe(
  words,
  v.check((value) => !allowsAnyProgram(value), "allows every program: name what it is to run"),
);

/** A policy as it comes from a file or from a client. */
export const policySchema = v.strictObject({
  allow: v.array(
    v.variant("kind", [
      v.pipe(
        v.strictObject({
          kind: v.literal("command"),
          command: v.exactOptional(words),
          prefix: v.exactOptional(prefix),
          cwd: v.exactOptional(word),
        }),
        v.check(
          (rule) => (rule.command === undefined) !== (rule.prefix === undefined),
          "a rule for commands has either `command` (exactly these words) or `prefix`",
        ),
      ),
      v.strictObject({ kind: v.literal("fileChange"), under: v.exactOptional(word) }),
      v.strictObject({
        kind: v.literal("mcpToolCall"),
        server: word,
        tool: v.exactOptional(word),
      }),
    ]),
  ),
});

/**
 * Programs that run what their arguments name. After one of these, a prefix must name a program, a
 * script or a sub-command, and options before that name are refused: `git -c alias.x=!y x`.
 */
const RUNNERS = new Set(
  (
    "env nice nohup ionice chrt taskset setsid stdbuf timeout time watch xargs parallel find sudo doas su " +
    "exec eval source . command builtin trap ssh sh bash dash zsh ksh fish busybox cmd powershell pwsh " +
    "node deno bun python python2 python3 ruby perl php lua osascript awk gawk mawk sed " +
    "git npm npx pnpm yarn make cargo go docker podman"
  ).split(" "),
);

function allowsAnyProgram([program = "", next]: readonly string[]): boolean {
  const name = program.replace(/^.*[\\/]/, "").replace(/\.(?:exe|cmd|bat)$/i, "");
  if (!RUNNERS.has(name.toLowerCase())) return false;
  return next === undefined || next.startsWith("-") || /^[A-Za-z_]\w*=/.test(next);
}

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
