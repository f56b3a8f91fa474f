import { EXIT, type ExitCode } from "../../base/errors.ts";
import { monotonicMs } from "../../base/deadline.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { QuestionHandler } from "../../client/inbox.ts";
import type { TurnEvent } from "../../client/turn-event.ts";
import type { TurnResult, TurnRun } from "../../client/turn.ts";
import { runOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { endWithFailure, failureOf, printFailure } from "../output/failure.ts";
import { err, out } from "../output/output.ts";
import type { Person } from "../ask/person.ts";
import { personAtTerminal } from "../ask/person-at-terminal.ts";
import { answerAll, type Answered } from "../run/approvals.ts";
import { refuseInBackground, runInBackground } from "../run/background.ts";
import { chooseReporter } from "../run/choose-reporter.ts";
import { confine, type Confining } from "../run/confinement.ts";
import { connectForTurn } from "../run/connect.ts";
import { Interruption } from "../run/interruption.ts";
import { JsonReporter } from "../run/json-reporter.ts";
import { LiveReporter } from "../run/live-reporter.ts";
import { newestThread } from "../run/newest-thread.ts";
import { lineOfFailure, lineOfResult } from "../run/outcome.ts";
import { readPrompt } from "../run/prompt.ts";
import { quietReporter } from "../run/quiet-reporter.ts";
import type { Reporter } from "../run/reporter.ts";
import { printShortfalls } from "../run/shortfall-text.ts";
import { turnFailure } from "../run/turn-failure.ts";
import { turnRequest, type TurnRequest } from "../run/turn-request.ts";
import { warn } from "../run/warn.ts";
import { wishOf } from "../run/wish.ts";

export async function execute(given: Given<typeof runOptions>): Promise<ExitCode> {
  return await new Run(given).execute();
}

/** One run of the command, from its options to its exit code. */
class Run {
  readonly #given: Given<typeof runOptions>;
  readonly #json: boolean;
  readonly #startedAt = monotonicMs();
  #reporter: Reporter = quietReporter;
  #turn: TurnRun | undefined;
  /** Answers, where there is somebody at the terminal. */
  #person: Person | undefined;

  constructor(given: Given<typeof runOptions>) {
    this.#given = given;
    this.#json = given.has("json");
  }

  async execute(): Promise<ExitCode> {
    try {
      if (this.#given.has("background")) return await this.#handOver();
      return this.#finish(await this.#run());
    } catch (thrown) {
      return this.#fail(thrown);
    }
  }

  async #run(): Promise<TurnResult> {
    const request = turnRequest(this.#given);
    const prompt = await this.#readPrompt();
    const reporter = this.#choose();
    this.#reporter = reporter;
    using interruption = new Interruption({
      onFirst: () => reporter.interrupting("interrupting the turn; once more leaves at once"),
      onSecond: () => reporter.gone(),
    });
    out.whenReaderGoes(() => interruption.interrupt());
    return await this.#runTurn(prompt, request, interruption);
  }

  async #readPrompt(): Promise<string> {
    return await readPrompt({
      words: this.#given.operands,
      file: this.#given.text("file"),
      onWait: () => err.line(err.paint("dim", "codex-broker: waiting for the prompt on stdin")),
    });
  }

  async #handOver(): Promise<ExitCode> {
    refuseInBackground(this.#given);
    const request = turnRequest(this.#given);
    const prompt = await this.#readPrompt();
    using interruption = new Interruption({ onFirst: () => {}, onSecond: () => {} });
    await using client = await connectForTurn(this.#given, "run", this.#reporter, interruption);
    const threadId = await interruption.race(this.#threadToResume(client));
    const confining = await interruption.race(this.#confine(client, request));
    return await runInBackground(
      client,
      prompt,
      { ...request, ...confining },
      threadId,
      this.#json,
    );
  }

  async #runTurn(
    prompt: string,
    request: TurnRequest,
    interruption: Interruption,
  ): Promise<TurnResult> {
    await using client = await connectForTurn(this.#given, "run", this.#reporter, interruption);
    const threadId = await interruption.race(this.#threadToResume(client));
    this.#reporter.preparing(
      threadId === undefined ? "opening a thread" : `resuming thread ${threadId}`,
    );
    const confining = await interruption.race(this.#confine(client, request));
    const turn = client.runTurn({
      ...request,
      ...confining,
      prompt,
      ...(threadId === undefined ? {} : { threadId }),
      onQuestion: this.#answers(),
      signal: interruption.signal,
    });
    this.#turn = turn;
    turn.result.catch(() => {});
    try {
      for await (const event of turn) this.#tell(event);
      return await turn.result;
    } finally {
      // Its questions have ended with it; whoever was asked is told before the screen is.
      await this.#person?.idle;
    }
  }

  async #confine(client: BrokerClient, { cwd }: TurnRequest): Promise<Confining> {
    const { sandbox, "default-sandbox": otherwise } = runOptions;
    const { confining, warning } = await confine(client, {
      cwd,
      asked: this.#given.choice("sandbox", sandbox.choices),
      otherwise: this.#given.choice("default-sandbox", otherwise.choices),
    });
    if (warning !== undefined) warn(this.#reporter, warning);
    return confining;
  }

  #answers(): QuestionHandler {
    const approve = this.#given.choice("approve", runOptions.approve.choices);
    const onAnswer = (answer: Answered): void => this.#reporter.answered(answer);
    const display = this.#reporter;
    if (approve !== undefined || !(display instanceof LiveReporter) || !process.stdin.isTTY) {
      return answerAll(approve === "all", onAnswer);
    }
    const person = personAtTerminal(display, onAnswer);
    this.#person = person;
    return async (...question) => await person.ask(...question);
  }

  #tell(event: TurnEvent): void {
    if (event.type !== "question.allowed") return this.#reporter.event(event);
    const { method, params, item } = event;
    const wish = wishOf(method, params, item ?? undefined);
    this.#reporter.answered({ method, decision: "accepted", wish });
  }

  async #threadToResume(client: BrokerClient): Promise<string | undefined> {
    if (!this.#given.has("resume")) return undefined;
    const named = this.#given.text("resume");
    if (named !== undefined) return named;
    this.#reporter.preparing("looking for the newest thread");
    return await newestThread(client, [process.cwd(), client.record.workspace]);
  }

  #choose(): Reporter {
    return this.#json ? new JsonReporter(out) : chooseReporter(this.#given.has("quiet"));
  }

  #finish(result: TurnResult): ExitCode {
    this.#reporter.ended(result);
    printShortfalls(result, err);
    const error = turnFailure(result, this.#given.seconds("timeout"));
    const failure = error === undefined ? undefined : failureOf(error);
    if (this.#json) out.json(lineOfResult(result, failure));
    else if (failure === undefined && result.message !== "") {
      out.foreign(result.message.endsWith("\n") ? result.message : `${result.message}\n`);
    }
    if (failure === undefined) return EXIT.ok;
    printFailure(failure, err);
    return failure.exitCode;
  }

  #fail(thrown: unknown): ExitCode {
    this.#reporter.gone();
    if (this.#json) {
      const durationMs = Math.round(monotonicMs() - this.#startedAt);
      out.json(lineOfFailure(failureOf(thrown), this.#turn, durationMs));
    }
    return endWithFailure(thrown, err);
  }
}
