import type { v2 } from "../../app-server/generated/index.ts";
import { Deadline } from "../../base/deadline.ts";
import { BrokerError } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { RpcError } from "../../wire/messages.ts";
import { printableLine } from "../output/printable.ts";

/** It takes about 50 ms; a slow answer must not hold up a turn that would work. */
const ANSWER_LIMIT_MS = 5_000;

const POLICIES: Readonly<Record<v2.SandboxMode, v2.SandboxPolicy>> = {
  "read-only": { type: "readOnly", networkAccess: false },
  "workspace-write": {
    type: "workspaceWrite",
    writableRoots: [],
    networkAccess: false,
    excludeTmpdirEnvVar: false,
    excludeSlashTmp: false,
  },
  "danger-full-access": { type: "dangerFullAccess" },
};

/**
 * Has Codex run a command that does nothing in its sandbox.
 *
 * @param mode Default: what Codex's configuration says.
 * @returns why it cannot; undefined when it can, or when Codex does not say.
 */
export async function objectionOfSandbox(
  client: BrokerClient,
  mode?: v2.SandboxMode,
): Promise<string | undefined> {
  const command = [process.execPath, "-e", ""];
  const policy = mode === undefined ? {} : { sandboxPolicy: POLICIES[mode] };
  const params = { command, timeoutMs: ANSWER_LIMIT_MS, ...policy };
  try {
    const options = { deadline: Deadline.after(ANSWER_LIMIT_MS) };
    const { exitCode, stderr } = await client.request("command/exec", params, options);
    return exitCode === 0 ? undefined : printableLine(stderr) || `exit code ${exitCode}`;
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    if (BrokerError.is(error) && error.kind === "requestTimedOut") return undefined;
    throw error;
  }
}

/**
 * Where no command can run, a turn would look at nothing and say that it has found nothing.
 *
 * @throws BrokerError `sandboxUnusable`.
 */
export async function requireSandbox(client: BrokerClient, mode: v2.SandboxMode): Promise<void> {
  const why = await objectionOfSandbox(client, mode);
  if (why === undefined) return;
  throw new BrokerError("sandboxUnusable", `Codex's sandbox cannot be set up here: ${why}`, {
    details: { mode },
  });
}
