import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { JobStartParams } from "../../wire/job-protocol.ts";
import { runOptions } from "../commands.ts";
import { hostSession } from "../host/host-session.ts";
import type { Given } from "../line/given.ts";
import type { sharingOptions } from "../options.ts";
import { err, out } from "../output/output.ts";
import { wantedSharing } from "../workspace/wanted.ts";
import type { TurnRequest } from "./turn-request.ts";

/**
 * What makes no sense for a turn that nobody sits in front of is refused, and never left out silently.
 *
 * @throws BrokerError `usage`.
 */
export function refuseInBackground(given: Given<typeof runOptions>): void {
  if (given.choice("approve", runOptions.approve.choices) === "all") {
    refuse("--approve all", "Name what it may do with `--policy FILE` or `--allow-mcp SERVER`.");
  }
  if (given.has("queue")) refuse("--queue", "Start the job when the thread's turn has ended.");
  if (given.has("ephemeral")) refuse("--ephemeral", "A job's journal stays on disk.");
  requireShared(given);
}

/**
 * A private app-server ends with its client, and the job would end with it.
 *
 * @throws BrokerError `usage`.
 */
export function requireShared(given: Given<typeof sharingOptions>): void {
  if (!wantedSharing(given).private) return;
  const asked = given.has("private") ? "--private" : "CODEX_BROKER_PRIVATE=1";
  refuse(asked, "A private app-server ends with its client, and the job would end with it.");
}

function refuse(what: string, hint: string): never {
  throw new BrokerError("usage", `${what} does not go with --background.`, { hint });
}

/** Hands the turn over to the broker, which owns it from then on. */
export async function runInBackground(
  client: BrokerClient,
  prompt: string,
  request: TurnRequest,
  threadId: string | undefined,
  json: boolean,
): Promise<ExitCode> {
  const { cwd, model, effort, approvalPolicy, policy, outputSchema, timeoutMs } = request;
  const params = {
    prompt,
    threadId: threadId ?? null,
    cwd: cwd ?? null,
    model: model ?? null,
    effort: effort ?? null,
    sandbox: request.sandbox ?? null,
    permissions: request.permissions ?? null,
    config: request.config ?? null,
    approvalPolicy: approvalPolicy ?? null,
    policy: policy ?? null,
    outputSchema: outputSchema ?? null,
    timeoutMs: timeoutMs ?? null,
  };
  return await startJob(client, params, json);
}

/** Returns when the job has begun, and says how to get at it. */
export async function startJob(
  client: BrokerClient,
  params: JobStartParams,
  json: boolean,
): Promise<ExitCode> {
  if (!json) {
    const what = "what the job asks for is declined, unless an option allows it or you attach";
    err.line(err.paint("dim", `codex-broker: ${what}`));
  }
  const started = await client.request("broker/job/start", {
    ...params,
    origin: hostSession(process.env) ?? null,
  });
  if (json) out.json(started);
  else {
    const { job } = started;
    out.line(`${out.paint("green", "●")} job ${out.paint("bold", job)} has begun`);
    out.line(out.paint("dim", `  thread ${started.threadId}`));
    out.line(
      out.paint("dim", `  → codex-broker jobs wait ${job}     its result, when it is there`),
    );
    out.line(out.paint("dim", `  → codex-broker jobs attach ${job}   what it does meanwhile`));
    out.line(out.paint("dim", `  → codex-broker jobs cancel ${job}`));
  }
  return EXIT.ok;
}
