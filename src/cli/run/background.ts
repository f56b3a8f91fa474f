import { EXIT, type ExitCode } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { hostSession } from "../host/host-session.ts";
import type { JobStartParams } from "../../wire/job-protocol.ts";
import { out } from "../output/output.ts";
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

/** Returns when the job has begun, and says how to get at it. */
export async function startJob(
  client: BrokerClient,
  params: JobStartParams,
  json: boolean,
): Promise<ExitCode> {
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
