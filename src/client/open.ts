import { BrokerError } from "../base/errors.ts";
import type { Deadline } from "../base/deadline.ts";
import type { Ensured } from "../lifecycle/ensure.ts";
import { readEpoch } from "../lifecycle/epoch-file.ts";
import type { Scope } from "../lifecycle/scope.ts";

/**
 * Opens connections until there is one whose broker's app-server has answered.
 *
 * @throws BrokerError — see `docs/errors.md`.
 */
export async function openHealthy<O extends Ensured>(
  scope: Scope,
  deadline: Deadline,
  open: () => Promise<O>,
): Promise<O> {
  for (;;) {
    const opened = await open();
    const { connection, hello } = opened.link;
    try {
      if (hello.state !== "serving") await connection.request("broker/health", {}, { deadline });
      return opened;
    } catch (error) {
      connection.close();
      if (!isReplaceable(error) || deadline.expired) throw error;
      const cause = causeInObituary(scope, opened.record.epoch);
      if (cause !== undefined) throw cause;
    }
  }
}

/** The broker ended between its hello and its first answer: another one may do better. */
function isReplaceable(error: unknown): boolean {
  return BrokerError.is(error) && (error.kind === "connectionLost" || error.kind === "draining");
}

/** Its last words may not have reached us over the connection; they stand in its obituary. */
function causeInObituary(scope: Scope, epoch: number): BrokerError | undefined {
  const reading = readEpoch(scope.directory, epoch);
  if (reading?.state !== "read" || reading.record.state !== "ended") return undefined;
  return reading.record.error === null ? undefined : BrokerError.fromJSON(reading.record.error);
}
