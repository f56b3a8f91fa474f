import type { v2 } from "../../app-server/generated/index.ts";
import { Deadline } from "../../base/deadline.ts";
import { BrokerError } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import { printableLine } from "../output/printable.ts";
import { saysNothing } from "./login.ts";

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

export type SandboxTrial =
  | { readonly state: "works" }
  | { readonly state: "fails"; readonly why: string }
  /** Codex does not answer this, or not in time. */
  | { readonly state: "unknown" };

/**
 * Has Codex run a command that does nothing in its sandbox.
 *
 * @param mode Default: what Codex's configuration says.
 */
export async function trySandbox(
  client: BrokerClient,
  mode?: v2.SandboxMode,
): Promise<SandboxTrial> {
  const command = [process.execPath, "-e", ""];
  const policy = mode === undefined ? {} : { sandboxPolicy: POLICIES[mode] };
  const params = { command, timeoutMs: ANSWER_LIMIT_MS, ...policy };
  try {
    const options = { deadline: Deadline.after(ANSWER_LIMIT_MS) };
    const { exitCode, stderr } = await client.request("command/exec", params, options);
    if (exitCode === 0) return { state: "works" };
    const why = printableLine(stderr).replace(/\.$/, "");
    return { state: "fails", why: why === "" ? `exit code ${exitCode}` : why };
  } catch (error) {
    if (saysNothing(error)) return { state: "unknown" };
    throw error;
  }
}

/**
 * Where no command can run, a turn would look at nothing and say that it has found nothing.
 *
 * @throws BrokerError `sandboxUnusable`.
 */
export async function requireSandbox(client: BrokerClient, mode: v2.SandboxMode): Promise<void> {
  const trial = await trySandbox(client, mode);
  if (trial.state !== "fails") return;
  const message = `Codex's sandbox cannot be set up here: ${trial.why}.`;
  throw new BrokerError("sandboxUnusable", message, { details: { mode } });
}
