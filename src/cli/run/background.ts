import { BrokerError, EXIT, type ExitCode } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { JobStartParams } from "../../wire/job-protocol.ts";
import type { Given } from "../line/given.ts";
import type { sharingOptions } from "../options.ts";
import { out } from "../output/output.ts";
import { wantedSharing } from "../workspace/wanted.ts";
import type { TurnRequest } from "./turn-request.ts";

/** Hands the turn over to the broker, which owns it from then on. */
export async function runInBackground(
  client: BrokerClient,
  prompt: string,
  request: TurnRequest,
  threadId: string | undefined,
  json: boolean,
): Promise<ExitCode> {
  const { cwd, model, effort, sandbox, approvalPolicy, outputSchema, timeoutMs } = request;
  return await startJob(
    client,
    {
      prompt,
      threadId: threadId ?? null,
      cwd: cwd ?? null,
      model: model ?? null,
      effort: effort ?? null,
      sandbox: sandbox ?? null,
      approvalPolicy: approvalPolicy ?? null,
      outputSchema: outputSchema ?? null,
      timeoutMs: timeoutMs ?? null,
    },
    json,
  );
}

/**
 * What ends with its one client is no place for work that goes on without it.
 *
 * @throws BrokerError `usage`.
 */
export function requireShared(given: Given<typeof sharingOptions>): void {
  if (!wantedSharing(given).private) return;
  throw new BrokerError(
    "usage",
    "A private app-server ends with its client: no job can go on in it.",
    {
      hint: "Leave out --private or --background, and unset CODEX_BROKER_PRIVATE.",
    },
  );
}

/** Returns when the job has begun, and says how to get at it. */
export async function startJob(
  client: BrokerClient,
  params: JobStartParams,
  json: boolean,
): Promise<ExitCode> {
  const started = await client.request("broker/job/start", params);
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
