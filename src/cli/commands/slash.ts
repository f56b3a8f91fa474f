import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { scopesOfWorkspace } from "../../client/job-places.ts";
import { resolveScope } from "../../lifecycle/scope.ts";
import { isRecord } from "../../wire/messages.ts";
import { hostSession, hostTranscript } from "../host/host-session.ts";
import { jobsOfSession } from "../host/session-jobs.ts";
import {
  changeSettings,
  JOBS_AT_END,
  readSettings,
  type SettingsReading,
  type WorkspaceSettings,
} from "../host/workspace-settings.ts";
import type { Given } from "../line/given.ts";
import { failureOf, printFailure } from "../output/failure.ts";
import { out } from "../output/output.ts";
import { printableLine } from "../output/printable.ts";
import { continuation, toContinue } from "../slash/continuation.ts";
import { leadingOptions, type Typed, type TypedOptions } from "../slash/leading-options.ts";
import { ask, show } from "../slash/own-program.ts";
import { scopeOptions } from "../slash/review-scope.ts";
import { newDelimiter, readTypedText } from "../slash/typed-text.ts";

/** A shorter name for a model, as users of the published plugin know it. */
const MODELS: Readonly<Record<string, string>> = { spark: "gpt-5.3-codex-spark" };

/** A host ends a command after ten minutes. */
const WAIT_SECONDS = "570";

const GO_ON = "Go on with what you were doing, and bring it to its end.";

const startOptions = { wait: true, background: true, model: "MODEL" } as const;
const targetOptions = { base: "REF", commit: "SHA", scope: "auto|working-tree|branch" } as const;

/**
 * What a slash command of the plugin does. It always ends with 0 and says everything on stdout, also
 * what went wrong: a host drops what a failing command has said.
 */
export async function execute(given: Given): Promise<ExitCode> {
  try {
    const [name = "", word] = given.operands;
    const plain = Object.hasOwn(plainVerbs, name) ? plainVerbs[name] : undefined;
    if (plain !== undefined) {
      await plain(word);
      return EXIT.ok;
    }
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined) {
      throw new BrokerError("usage", `There is no slash command ${JSON.stringify(name)}.`, {
        hint: `There are ${[...Object.keys(verbs), ...Object.keys(plainVerbs)].join(", ")}.`,
      });
    }
    const typed = leadingOptions(await readTypedText(process.stdin, word), verb.options);
    if (verb.takes === "nothing" && typed.rest !== "") throw needless(name, typed.rest);
    await verb.act(typed);
  } catch (error) {
    printFailure(failureOf(error), out);
  }
  return EXIT.ok;
}

interface Verb {
  readonly options: TypedOptions;
  /** What may follow the options: text, the id of a job, or nothing. */
  readonly takes: "text" | "job" | "nothing";
  readonly act: (typed: Typed) => Promise<void>;
}

const verbs: Readonly<Record<string, Verb>> = {
  review: {
    options: { ...startOptions, ...targetOptions },
    takes: "nothing",
    act: async ({ options }) => await start(["review", ...(await target(options))], options),
  },
  "adversarial-review": {
    options: { ...startOptions, effort: "LEVEL", ...targetOptions },
    takes: "text",
    async act({ options, rest }) {
      const focus = rest === "" ? [] : ["-"];
      await start(["review", "--adversarial", ...(await target(options)), ...focus], options, rest);
    },
  },
  rescue: {
    options: { ...startOptions, effort: "LEVEL", resume: true, fresh: true, "read-only": true },
    takes: "text",
    act: rescue,
  },
  transfer: {
    options: { source: "FILE" },
    takes: "nothing",
    async act({ options }) {
      const source = options.get("source") ?? hostTranscript(process.env);
      await show({ args: ["transfer", ...(source === undefined ? [] : [`--session=${source}`])] });
    },
  },
  status: {
    options: { all: true, wait: true, timeout: "SECONDS" },
    takes: "job",
    act: status,
  },
  result: {
    options: {},
    takes: "job",
    act: async ({ rest }) => await show({ args: ["jobs", "result", ...jobIn(rest)] }),
  },
  cancel: { options: {}, takes: "job", act: cancel },
  setup: {
    options: {
      "enable-review-gate": true,
      "disable-review-gate": true,
      "jobs-at-end": JOBS_AT_END.join("|"),
    },
    takes: "nothing",
    act: setUp,
  },
};

/** Those that take no text of a user, and nothing from stdin. */
const plainVerbs: Readonly<Record<string, (word: string | undefined) => Promise<void>>> = {
  delimiter: () => Promise.resolve(out.line(newDelimiter())),
  "can-resume": async () => out.json((await toContinue("session")) ?? { available: false }),
  wait: async (job = "") => await waitFor(jobIn(job), WAIT_SECONDS),
};

async function target(options: Typed["options"]): Promise<readonly string[]> {
  const named = given(options, ["base", "commit"]);
  const scope = options.get("scope");
  if (named.length > 0 && scope !== undefined) {
    throw new BrokerError("usage", "--scope does not go with --base or --commit.", {
      hint: "Leave one of the two out.",
    });
  }
  const looked = named.length > 0 ? named : await scopeOptions(scope ?? "auto", process.cwd());
  return [...looked, ...given(options, ["model", "effort"])];
}

/** Starts a job, which belongs to the broker from then on. */
async function start(
  args: readonly string[],
  options: Typed["options"],
  stdin = "",
): Promise<void> {
  const [command = "", ...more] = args;
  const answer = lastLine(await ask({ args: [command, "--background", "--json", ...more], stdin }));
  if (isRecord(answer["error"])) {
    const { message, hint } = answer["error"];
    throw new BrokerError("turnFailed", String(message), { hint: String(hint) });
  }
  if (answer["status"] === "nothingToReview") {
    out.line("There is nothing to review here: no file has changed.");
    return out.line("--base REF looks at a whole branch, --commit SHA at a commit.");
  }
  const job = String(answer["job"]);
  out.line(`job ${job} has begun (Codex thread ${String(answer["threadId"])})`);
  out.line("It belongs to the broker and goes on, whatever becomes of this session.");
  out.line(
    options.has("background")
      ? "It was asked for in the background: do not wait for it."
      : `Wait for it: codex-broker slash wait ${job}`,
  );
  out.line(
    `/codex-broker:status ${job} · /codex-broker:result ${job} · /codex-broker:cancel ${job}`,
  );
}

async function rescue({ options, rest }: Typed): Promise<void> {
  if (options.has("resume") && options.has("fresh")) {
    throw new BrokerError("usage", "--resume and --fresh exclude each other.", {
      hint: "Leave one of the two out.",
    });
  }
  if (rest === "" && !options.has("resume")) {
    throw new BrokerError("usage", "There is no task.", {
      hint: "Write what Codex is to do: `/codex-broker:rescue find out why the tests fail`.",
    });
  }
  const sandbox = options.has("read-only") ? "read-only" : "workspace-write";
  const thread = options.has("resume") ? await continuation() : undefined;
  const args = [
    "run",
    "--default-sandbox",
    sandbox,
    ...given(options, ["model", "effort"]),
    ...(thread === undefined ? [] : ["--resume", thread]),
  ];
  await start(args, options, rest === "" ? GO_ON : rest);
}

async function status({ options, rest }: Typed): Promise<void> {
  const job = jobIn(rest);
  if (options.has("wait")) {
    if (job.length === 0) {
      throw new BrokerError("usage", "--wait needs the id of a job.", {
        hint: "/codex-broker:status lists them.",
      });
    }
    return await waitFor(job, options.get("timeout") ?? "240");
  }
  if (job.length > 0) return await show({ args: ["jobs", "show", ...job] });
  await show({ args: ["jobs", "list", ...(options.has("all") ? ["--all"] : [])] });
  tellSettings(readSettings(process.cwd()));
}

async function waitFor(job: readonly string[], seconds: string): Promise<void> {
  await show({ args: ["jobs", "wait", ...job, `--timeout=${seconds}`] });
}

/** Without an id only a job of this very session is ended: another session's is not this one's to end. */
async function cancel({ rest }: Typed): Promise<void> {
  const named = jobIn(rest);
  const session = hostSession(process.env);
  if (named.length > 0 || session === undefined) {
    return await show({ args: ["jobs", "cancel", ...named] });
  }
  const jobs = await jobsOfSession(scopesOfWorkspace(resolveScope()), session);
  const running = jobs.filter(({ state }) => state === "running" || state === "unconfirmed");
  const [only, another] = running;
  if (only !== undefined && another === undefined) {
    return await show({ args: ["jobs", "cancel", only.id] });
  }
  if (only === undefined) {
    throw new BrokerError("usage", "No job of this session runs here.", {
      hint: "/codex-broker:status lists those of other sessions too; name one to cancel it.",
    });
  }
  throw new BrokerError("usage", `${running.length} jobs of this session run here.`, {
    hint: `Name one of them: ${running.map(({ id }) => id).join(", ")}.`,
  });
}

async function setUp({ options }: Typed): Promise<void> {
  const gate = ["enable-review-gate", "disable-review-gate"].filter((name) => options.has(name));
  if (gate.length > 1) {
    throw new BrokerError("usage", "The review gate cannot be both enabled and disabled.");
  }
  const atEnd = options.get("jobs-at-end");
  const jobsAtEnd = JOBS_AT_END.find((choice) => choice === atEnd);
  if (atEnd !== undefined && jobsAtEnd === undefined) {
    throw new BrokerError("usage", `--jobs-at-end takes ${JOBS_AT_END.join(" or ")}.`);
  }
  const change: Partial<WorkspaceSettings> = {
    ...(gate.length === 0 ? {} : { reviewGate: gate[0] === "enable-review-gate" }),
    ...(jobsAtEnd === undefined ? {} : { jobsAtEnd }),
  };
  const { damage } = readSettings(process.cwd());
  if (damage !== undefined) out.line(`The settings of this workspace are put aside: ${damage}`);
  const changed = damage !== undefined || Object.keys(change).length > 0;
  if (changed) changeSettings(process.cwd(), change);
  await show({ args: ["setup"] });
  tellSettings(readSettings(process.cwd()), change);
}

function tellSettings(
  { settings: { reviewGate, jobsAtEnd }, chosenIn }: SettingsReading,
  change: Partial<WorkspaceSettings> = {},
): void {
  const stays = (what: string, where = ""): void =>
    out.line(printableLine(`The ${what} was chosen for ${where}, and counts for all below it.`));
  if (change.reviewGate === false && reviewGate) stays("review gate", chosenIn.reviewGate);
  if (change.jobsAtEnd === "keep" && jobsAtEnd === "cancel") {
    stays("cancelling of jobs", chosenIn.jobsAtEnd);
  }
  out.line(
    reviewGate
      ? "review gate: on; Codex looks at the work before the agent stops (--disable-review-gate)"
      : "review gate: off (/codex-broker:setup --enable-review-gate)",
  );
  out.line(
    jobsAtEnd === "keep"
      ? "jobs at the end of a session: kept (/codex-broker:setup --jobs-at-end cancel)"
      : "jobs at the end of a session: cancelled (/codex-broker:setup --jobs-at-end keep)",
  );
}

/** Those of these options that were typed, for a command line. */
function given(options: Typed["options"], names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = options.get(name);
    if (value === undefined) return [];
    return [`--${name}=${name === "model" ? (MODELS[value] ?? value) : value}`];
  });
}

/** Returns the id of a job as operands. Anything else must not reach a command line as an option. */
function jobIn(rest: string): readonly string[] {
  if (rest === "") return [];
  if (/^\w+$/.test(rest)) return [rest];
  throw new BrokerError("usage", `${JSON.stringify(rest)} is not the id of a job.`, {
    hint: "/codex-broker:status lists them.",
  });
}

function needless(name: string, rest: string): BrokerError {
  return new BrokerError(
    "usage",
    `/codex-broker:${name} makes nothing of ${JSON.stringify(rest)}.`,
    {
      hint:
        name === "review"
          ? "What the review is to look at goes to /codex-broker:adversarial-review."
          : "Leave it out.",
    },
  );
}

function lastLine(output: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "");
  if (!isRecord(value)) throw new Error(`this is no answer: ${output}`);
  return value;
}
