import type { v2 } from "../../app-server/generated/index.ts";
import { monotonicMs } from "../../base/deadline.ts";
import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { ReviewOptions, TurnOptions } from "../../client/turn-options.ts";
import type { TurnResult, TurnRun } from "../../client/turn.ts";
import { workspaceOf } from "../../lifecycle/scope.ts";
import { reviewOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { endWithFailure, failureOf, printFailure } from "../output/failure.ts";
import { err, out } from "../output/output.ts";
import { reviewIn, reviewSchema, type AdversarialReview } from "../review/adversarial-review.ts";
import { adversarialPrompt } from "../review/adversarial-prompt.ts";
import { changesOf, leftOut, type Changes } from "../review/changes.ts";
import { printReview } from "../review/report.ts";
import { codexTarget, resolveTarget, targetLabel, type Target } from "../review/target.ts";
import { answerAll } from "../run/approvals.ts";
import { requireShared, startJob } from "../run/background.ts";
import { chooseReporter } from "../run/choose-reporter.ts";
import { confine, type Confining } from "../run/confinement.ts";
import { connectForTurn } from "../run/connect.ts";
import { Interruption } from "../run/interruption.ts";
import { lineOfFailure, lineOfResult, type ResultLine } from "../run/outcome.ts";
import { readText } from "../run/prompt.ts";
import { quietReporter } from "../run/quiet-reporter.ts";
import type { Reporter } from "../run/reporter.ts";
import { requireSandbox } from "../run/sandbox.ts";
import { printShortfalls } from "../run/shortfall-text.ts";
import { turnFailure } from "../run/turn-failure.ts";
import { warn } from "../run/warn.ts";

export async function execute(given: Given<typeof reviewOptions>): Promise<ExitCode> {
  return await new Review(given).execute();
}

/** What Codex is asked to do, by its own reviewer or by a turn of ours. */
interface Work {
  readonly shared: Pick<TurnOptions, "approvalPolicy" | "model" | "timeoutMs"> & {
    readonly cwd: string;
  };
  readonly asked:
    | Pick<ReviewOptions, "target">
    | Pick<TurnOptions, "prompt" | "outputSchema" | "effort">;
  readonly title: string;
}

/** One run of the command, from its options to its exit code. */
class Review {
  readonly #given: Given<typeof reviewOptions>;
  readonly #json: boolean;
  readonly #adversarial: boolean;
  readonly #startedAt = monotonicMs();
  #reporter: Reporter = quietReporter;
  #turn: TurnRun | undefined;
  #target: Target | undefined;
  #changes: Changes | undefined;

  constructor(given: Given<typeof reviewOptions>) {
    this.#given = given;
    this.#json = given.has("json");
    this.#adversarial = given.has("adversarial");
  }

  async execute(): Promise<ExitCode> {
    try {
      if (this.#given.has("background")) requireShared(this.#given);
      const focus = await this.#readFocus();
      const directory = workspaceOf(this.#given.text("cwd") ?? process.cwd());
      const target = await resolveTarget(directory, {
        base: this.#given.text("base"),
        commit: this.#given.text("commit"),
      });
      this.#target = target;
      this.#changes = await changesOf(target);
      if (this.#changes.count === 0) return this.#nothingToReview(target);
      this.#warnOfUntracked(this.#changes);
      const work = this.#workOn(target, this.#changes, focus);
      if (this.#given.has("background")) return await this.#handOver(work);
      return this.#finish(await this.#review(work));
    } catch (thrown) {
      return this.#fail(thrown);
    }
  }

  async #readFocus(): Promise<string> {
    const words = this.#given.operands;
    const file = this.#given.text("file");
    if (words.length === 0 && file === undefined) return "";
    if (!this.#adversarial) {
      throw new BrokerError("usage", "Codex's own reviewer takes no focus.", {
        hint: "Add `--adversarial`: that review does.",
      });
    }
    const onWait = (): void =>
      err.line(err.paint("dim", "codex-broker: waiting for the focus on stdin"));
    return (await readText({ words, file, onWait })).trim();
  }

  #readEffort(): string | undefined {
    const effort = this.#given.text("effort");
    if (effort === undefined || this.#adversarial) return effort;
    throw new BrokerError("usage", "Codex's own reviewer takes no effort.", {
      hint: "Add `--adversarial`: that review does.",
    });
  }

  #workOn(target: Target, changes: Changes, focus: string): Work {
    const effort = this.#readEffort();
    const model = this.#given.text("model");
    const timeoutMs = this.#given.seconds("timeout");
    return {
      shared: {
        cwd: target.root,
        approvalPolicy: "never",
        ...(model === undefined ? {} : { model }),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      },
      asked: this.#adversarial
        ? {
            prompt: adversarialPrompt(target, changes, focus),
            outputSchema: reviewSchema,
            ...(effort === undefined ? {} : { effort }),
          }
        : { target: codexTarget(target) },
      title: `${this.#adversarial ? "adversarial review" : "review"} of ${targetLabel(target)}`,
    };
  }

  async #handOver({ shared, asked, title }: Work): Promise<ExitCode> {
    using interruption = new Interruption({ onFirst: () => {}, onSecond: () => {} });
    await using client = await this.#connect(interruption);
    const confining = await interruption.race(this.#confine(client, shared.cwd));
    const kind = "target" in asked ? "review" : "turn";
    return await startJob(client, { kind, title, ...shared, ...confining, ...asked }, this.#json);
  }

  async #review({ shared, asked }: Work): Promise<TurnResult> {
    const reporter = chooseReporter(this.#json || this.#given.has("quiet"));
    this.#reporter = reporter;
    using interruption = new Interruption({
      onFirst: () => reporter.interrupting("interrupting the review; once more leaves at once"),
      onSecond: () => reporter.gone(),
    });
    out.whenReaderGoes(() => interruption.interrupt());
    await using client = await this.#connect(interruption);
    const confining = await interruption.race(this.#confine(client, shared.cwd));
    reporter.preparing("opening a thread");
    const options = {
      ...shared,
      ...confining,
      signal: interruption.signal,
      onQuestion: answerAll(false, (answer) => reporter.answered(answer)),
    };
    const turn =
      "target" in asked
        ? client.runReview({ ...options, ...asked })
        : client.runTurn({ ...options, ...asked });
    this.#turn = turn;
    turn.result.catch(() => {});
    for await (const event of turn) reporter.event(event);
    return await turn.result;
  }

  get #sandbox(): v2.SandboxMode | undefined {
    return this.#given.choice("sandbox", reviewOptions.sandbox.choices);
  }

  async #confine(client: BrokerClient, cwd: string): Promise<Confining> {
    const wish = { cwd, asked: this.#sandbox, otherwise: "read-only" } as const;
    const { confining, warning } = await confine(client, wish);
    if (warning !== undefined) warn(this.#reporter, warning);
    return confining;
  }

  async #connect(interruption: Interruption): Promise<BrokerClient> {
    const client = await connectForTurn(this.#given, "review", this.#reporter, interruption);
    try {
      await interruption.race(requireSandbox(client, this.#sandbox ?? "read-only"));
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Codex's own reviewer takes no text beside the base, so that the user alone gets this line. */
  #warnOfUntracked({ untracked }: Pick<Changes, "untracked">): void {
    if (untracked === 0) return;
    err.line(err.paint("yellow", `codex-broker: ${leftOut(untracked)}`));
    err.line("  → git add --intent-to-add FILE   includes a new file in the review");
  }

  #nothingToReview(target: Target): ExitCode {
    if (this.#json) {
      this.#tell({ status: "nothingToReview" });
    } else {
      out.line(`${out.paint("dim", "○")} nothing to review: ${targetLabel(target)} has no changes`);
      this.#warnOfUntracked(this.#changes ?? { untracked: 0 });
      if (target.type === "workingTree") {
        out.line(out.paint("dim", "  → codex-broker review --base main     a whole branch"));
        out.line(out.paint("dim", "  → codex-broker review --commit HEAD   the latest commit"));
      }
    }
    return EXIT.ok;
  }

  #finish(result: TurnResult): ExitCode {
    this.#reporter.ended(result);
    printShortfalls(result, err);
    const failed = turnFailure(result, this.#given.seconds("timeout"));
    if (failed !== undefined) return this.#end(lineOfResult(result, failureOf(failed)), failed);
    if (!this.#adversarial) {
      this.#print(result.message);
      return this.#end(lineOfResult(result, undefined));
    }
    try {
      const review = reviewIn(result.message, result.threadId);
      if (!this.#json) printReview(review, out);
      return this.#end({ ...lineOfResult(result, undefined), review });
    } catch (unfit) {
      this.#print(result.message);
      return this.#end(lineOfResult(result, failureOf(unfit)), unfit);
    }
  }

  #print(message: string): void {
    if (this.#json || message === "") return;
    out.foreign(message.endsWith("\n") ? message : `${message}\n`);
  }

  #end(line: ResultLine & { readonly review?: AdversarialReview }, thrown?: unknown): ExitCode {
    if (this.#json) this.#tell(line);
    if (thrown === undefined) return EXIT.ok;
    const failure = failureOf(thrown);
    printFailure(failure, err);
    return failure.exitCode;
  }

  #fail(thrown: unknown): ExitCode {
    this.#reporter.gone();
    if (this.#json) {
      const durationMs = Math.round(monotonicMs() - this.#startedAt);
      this.#tell(lineOfFailure(failureOf(thrown), this.#turn, durationMs));
    }
    return endWithFailure(thrown, err);
  }

  /** The one object that `--json` prints. The order of its fields is part of what is promised. */
  #tell({
    type: _other,
    ...outcome
  }: Partial<ResultLine> | { status: string; type?: string }): void {
    out.json({
      type: "review",
      kind: this.#adversarial ? "adversarial" : "review",
      target: this.#target ?? null,
      files: this.#changes?.count ?? null,
      untracked: this.#changes?.untracked ?? null,
      ...outcome,
    });
  }
}
