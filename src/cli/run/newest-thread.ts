import { BrokerError } from "../../base/errors.ts";
import { Deadline } from "../../base/deadline.ts";
import type { BrokerClient } from "../../client/broker-client.ts";

/** Codex may have to look through all its files. */
const LIST_LIMIT_MS = 30_000;

/**
 * The thread that was worked on last in one of these directories, whichever program began it.
 *
 * @throws BrokerError `usage` when there is none.
 */
export async function newestThread(
  client: BrokerClient,
  directories: readonly string[],
): Promise<string> {
  const page = await client.request(
    "thread/list",
    {
      cwd: [...new Set(directories)],
      limit: 1,
      sortKey: "updated_at",
      sourceKinds: ["cli", "vscode", "exec", "appServer", "unknown"],
      modelProviders: [],
    },
    { deadline: Deadline.after(LIST_LIMIT_MS) },
  );
  const newest = page.data[0];
  if (newest !== undefined) return newest.id;
  throw new BrokerError("usage", `No thread was begun in ${directories.join(" or ")} yet.`, {
    hint: "Leave out --resume, or name a thread: `codex-broker run --resume THREAD`.",
  });
}
