import type { v2 } from "../../app-server/generated/index.ts";
import { BrokerError } from "../../base/errors.ts";
import type { Deadline } from "../../base/deadline.ts";
import { deferred } from "../../base/deferred.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { isRecord, RpcError } from "../../wire/messages.ts";
import type { SessionFile } from "./session-file.ts";

type Completed = v2.ExternalAgentConfigImportCompletedNotification;

export interface Imported {
  readonly threadId: string;
  readonly title: string | null;
  /** It had been imported before, and nothing was added to it since. */
  readonly already: boolean;
}

/**
 * Has Codex make a thread of the session. It remembers what it has imported: of a session that has
 * grown since, the rest is added to the same thread.
 *
 * @throws BrokerError `importFailed`, `requestTimedOut`, or why the connection ended.
 */
export async function importSession(
  client: BrokerClient,
  session: SessionFile,
  cwd: string,
  deadline: Deadline,
): Promise<Imported> {
  const { itemTypeResults } = await runImport(client, migrationOf(session, cwd), deadline);
  const { successes, failures } = itemTypeResults.reduce(
    (all, one) => ({
      successes: [...all.successes, ...one.successes],
      failures: [...all.failures, ...one.failures],
    }),
    { successes: NO_SUCCESSES, failures: NO_FAILURES },
  );
  const made = successes.find(({ source }) => source === session.path);
  if (made !== undefined && made.target !== null) {
    return { threadId: made.target, title: made.title, already: false };
  }
  const [failure] = failures;
  if (failure !== undefined) {
    const { message, failureStage, subErrorType } = failure;
    throw new BrokerError("importFailed", `Codex does not import ${session.path}: ${message}`, {
      details: { failureStage, subErrorType, session: session.path },
      ...(subErrorType === "session_not_detected" ? { hint: ELSEWHERE } : {}),
    });
  }
  const before = await importedBefore(client, session, deadline);
  if (before !== undefined) return before;
  throw nothingIn(session, cwd);
}

/** Codex says nothing about why it passes over a session. */
function nothingIn({ path, cwd: heldIn }: SessionFile, cwd: string): BrokerError {
  const gone = heldIn !== undefined && heldIn !== cwd;
  const why = gone ? `: the directory ${heldIn}, where it was held, is gone` : "";
  return new BrokerError("importFailed", `Codex found nothing to import in ${path}${why}.`, {
    details: { session: path },
    hint: gone
      ? `Make the directory ${heldIn} again, and then repeat this.`
      : "A session can be transferred when something has been asked and answered in it.",
  });
}

const ELSEWHERE =
  "Codex looks for it in the home directory that the broker was started with: `codex-broker rotate` starts one with yours.";

const NO_SUCCESSES: readonly v2.ExternalAgentConfigImportItemTypeSuccess[] = [];
const NO_FAILURES: readonly v2.ExternalAgentConfigImportItemTypeFailure[] = [];

function migrationOf(session: SessionFile, cwd: string): v2.ExternalAgentConfigImportParams {
  const item: v2.ExternalAgentConfigMigrationItem = {
    itemType: "SESSIONS",
    description: `session ${session.id} of Claude Code`,
    cwd: null,
    details: {
      plugins: [],
      skills: [],
      sessions: [{ path: session.path, cwd, title: null }],
      mcpServers: [],
      hooks: [],
      subagents: [],
      commands: [],
    },
  };
  return { migrationItems: [item] };
}

/** Its end is told to everybody and may come before the answer, so all ends are kept until then. */
async function runImport(
  client: BrokerClient,
  params: v2.ExternalAgentConfigImportParams,
  deadline: Deadline,
): Promise<Completed> {
  const ends = new Map<string, Completed>();
  const done = deferred<Completed>();
  let importId: string | undefined;
  const settle = (): void => {
    const end = ends.get(importId ?? "");
    if (end !== undefined) done.resolve(end);
  };
  const undo = client.onNotification((method, end) => {
    if (method !== "externalAgentConfig/import/completed" || !isRecord(end)) return;
    ends.set(String(end["importId"]), end as Completed);
    settle();
  });
  try {
    ({ importId } = await client.request("externalAgentConfig/import", params, { deadline }));
    settle();
    const gone = client.closed.then((cause) => {
      throw cause;
    });
    return await deadline.race(Promise.race([done.promise, gone]), tooLong);
  } catch (error) {
    if (error instanceof RpcError) throw refused(error);
    throw error;
  } finally {
    undo();
  }
}

function refused(error: RpcError): BrokerError {
  return new BrokerError("importFailed", `Codex refuses the import: ${error.message}`, {
    cause: error,
    hint: "If it does not know the method: update it with `npm install -g @openai/codex@latest`.",
  });
}

function tooLong(): BrokerError {
  return new BrokerError("requestTimedOut", "Codex has not finished the import in time.", {
    hint: "Try again with a longer `--timeout`: what it has imported it does not import twice.",
  });
}

async function importedBefore(
  client: BrokerClient,
  session: SessionFile,
  deadline: Deadline,
): Promise<Imported | undefined> {
  const method = "externalAgentConfig/import/readHistories";
  const { data } = await client.request(method, undefined, { deadline });
  const made = data
    .flatMap(({ successes }) => successes)
    .find(({ source, target }) => source === session.path && target !== null);
  if (made === undefined || made.target === null) return undefined;
  return { threadId: made.target, title: made.title, already: true };
}
