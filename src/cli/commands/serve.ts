import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import { Deadline, pause } from "../../base/deadline.ts";
import { ensureBroker, servingEpoch, type Ensured } from "../../lifecycle/ensure.ts";
import { readEpoch } from "../../lifecycle/epoch-file.ts";
import { resolveScope, type Scope } from "../../lifecycle/scope.ts";
import type { Connection } from "../../wire/connection.ts";
import { introductionOf, lookForBroker } from "../workspace/ask.ts";
import { headline } from "../workspace/status-view.ts";
import { wantedScope, wantedStart } from "../workspace/wanted.ts";
import type { serveOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { LogPrinter } from "../log/log-printer.ts";
import { counted } from "../output/amounts.ts";
import { err, out } from "../output/output.ts";

const DEFAULT_START_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 100;
/** A broker whose connection has gone writes its obituary after it has stopped its app-server. */
const OBITUARY_LIMIT_MS = 10_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export async function execute(given: Given<typeof serveOptions>): Promise<ExitCode> {
  const scope = resolveScope(wantedScope(given));
  const replace = given.has("replace");
  if (!replace) await refuseIfThereIsOne(scope);
  const { record, link } = await start(scope, given, replace);
  const { epoch } = record;
  const raw = !out.isTerminal;
  err.line(headline({ state: "serving", workspace: scope.workspace }, err));
  err.line(err.paint("dim", `  epoch ${epoch} · process ${record.broker.pid} · Ctrl-C ends it`));

  // Our own session also keeps it from ending for lack of work.
  using _ending = endOnSignal(link.connection);
  const closed = new AbortController();
  void link.connection.closed.then(() => closed.abort());
  const printer = new LogPrinter({ scopeDir: scope.directory, epoch, raw, lines: Infinity }, out);
  while (!closed.signal.aborted) {
    printer.print();
    await pause(LOOK_AGAIN_MS, closed.signal);
  }
  const deadline = Deadline.after(OBITUARY_LIMIT_MS);
  for (printer.print(); !printer.ended && !deadline.expired; printer.print()) {
    await pause(LOOK_AGAIN_MS);
  }
  return verdictOn(scope, epoch);
}

async function refuseIfThereIsOne(scope: Scope): Promise<void> {
  const { seen, link } = await lookForBroker(scope, "serve");
  link?.connection.close();
  if (seen.verdict.step !== "use" || seen.observation.state !== "serving") return;
  throw alreadyThere(seen.observation.record.epoch, seen.observation.record.broker.pid);
}

async function start(
  scope: Scope,
  given: Given<typeof serveOptions>,
  replace: boolean,
): Promise<Ensured> {
  const { limits, startTimeoutMs } = wantedStart(given);
  const ensured = await ensureBroker({
    scope,
    introduction: introductionOf("serve"),
    limits,
    ...(replace ? { newerThan: servingEpoch(scope) } : {}),
    deadline: Deadline.after(startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS),
  });
  if (ensured.started) return ensured;
  ensured.link.connection.close();
  throw alreadyThere(ensured.record.epoch, ensured.record.broker.pid);
}

function alreadyThere(epoch: number, pid: number): BrokerError {
  const message = `A broker runs for this workspace already: epoch ${epoch}, process ${pid}.`;
  return new BrokerError("usage", message, {
    details: { epoch, pid },
    hint: "Use it, or take over with `codex-broker serve --replace`.",
  });
}

/** The first signal lets the running turns finish, the second interrupts them, the third leaves it alone. */
function endOnSignal(connection: Connection): Disposable {
  let received = 0;
  const onSignal = (): void => {
    received += 1;
    if (received > 2) process.exit(EXIT.interrupted);
    void askToStop(connection, received === 2);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

async function askToStop(connection: Connection, force: boolean): Promise<void> {
  try {
    const answer = (await connection.request("broker/stop", { force })) as { turns: number };
    if (force || answer.turns === 0) return;
    const turns = counted(answer.turns, "running turn");
    err.line(err.paint("dim", `codex-broker: waiting for ${turns}; Ctrl-C again interrupts`));
  } catch {
    // The connection has ended, and so has what this was about.
  }
}

/** @throws BrokerError why the broker could not go on, where that is why it ended. */
function verdictOn(scope: Scope, epoch: number): ExitCode {
  const reading = readEpoch(scope.directory, epoch);
  if (reading?.state !== "read" || reading.record.state !== "ended") {
    throw new BrokerError(
      "connectionLost",
      `The broker of epoch ${epoch} went away without a word.`,
    );
  }
  const { error } = reading.record;
  if (error !== null) throw BrokerError.fromJSON(error);
  return EXIT.ok;
}
