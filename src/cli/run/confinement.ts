import type { v2 } from "../../app-server/generated/index.ts";
import { Deadline } from "../../base/deadline.ts";
import { BrokerError, messageOf } from "../../base/errors.ts";
import type { BrokerClient } from "../../client/broker-client.ts";
import type { TurnOptions } from "../../client/turn-options.ts";
import { RpcError } from "../../wire/messages.ts";
import { narrowedProfile } from "./narrowed-profile.ts";

/** Codex reads a few files for it; MCP servers may start for the thread that is tried. */
const ANSWER_LIMIT_MS = 30_000;
const READ_ONLY = ":read-only";
/** The name under which Codex gets a read-only form of the user's profile. */
const NARROWED = "codex-broker-read-only";

/** What a turn sends so that Codex confines it. */
export type Confining = Pick<TurnOptions, "sandbox" | "permissions" | "config">;

export interface Confinement {
  readonly confining: Confining;
  /** What the turn is to run without, although Codex's configuration says so. */
  readonly warning: string | undefined;
}

export interface ConfinementWish {
  readonly cwd: string | undefined;
  /** The sandbox that the user has named. */
  readonly asked: v2.SandboxMode | undefined;
  /** The sandbox where the user has said nothing and has selected no permission profile. */
  readonly otherwise?: v2.SandboxMode | undefined;
}

interface Profile {
  readonly id: string;
  readonly tables: unknown;
}

/**
 * A sandbox that is named to Codex replaces the permission profile of the user, and with it all that
 * the profile hides. So only a sandbox that the user has named is sent where a profile is selected; a
 * read-only turn gets a read-only form of the profile instead.
 *
 * @throws BrokerError `sandboxUnusable` when the profile cannot be made read-only, `codexConfigInvalid`.
 */
export async function confine(client: BrokerClient, wish: ConfinementWish): Promise<Confinement> {
  const { cwd, asked, otherwise } = wish;
  const mode = asked ?? otherwise;
  if (mode === undefined) return { confining: {}, warning: undefined };
  const profile = await selectedProfile(client, cwd);
  if (profile === undefined) return { confining: { sandbox: mode }, warning: undefined };
  if (asked !== undefined) return { confining: { sandbox: asked }, warning: warningOf(profile) };
  if (mode !== "read-only") return { confining: {}, warning: undefined };
  return { confining: await readOnly(client, cwd, profile), warning: undefined };
}

function warningOf({ id }: Profile): string {
  return `--sandbox replaces the permission profile ${JSON.stringify(id)}: what that hides can be read`;
}

async function selectedProfile(
  client: BrokerClient,
  cwd: string | undefined,
): Promise<Profile | undefined> {
  const deadline = Deadline.after(ANSWER_LIMIT_MS);
  try {
    const { config } = await client.request("config/read", { cwd: cwd ?? null }, { deadline });
    const { default_permissions: own, permissions: tables } = config;
    if (typeof own === "string") return { id: own, tables };
    const id = await requiredProfile(client, deadline);
    return id === undefined ? undefined : { id, tables };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const message = `Codex cannot read its configuration: ${error.message}`;
    throw new BrokerError("codexConfigInvalid", message, { cause: error });
  }
}

/** An administrator can select one too. */
async function requiredProfile(
  client: BrokerClient,
  deadline: Deadline,
): Promise<string | undefined> {
  const { requirements } = await client.request("configRequirements/read", undefined, { deadline });
  return requirements?.defaultPermissions ?? undefined;
}

async function readOnly(
  client: BrokerClient,
  cwd: string | undefined,
  { id, tables }: Profile,
): Promise<Confining> {
  // A built-in profile hides nothing, so that the strictest of them takes nothing away.
  if (id.startsWith(":")) return { permissions: READ_ONLY };
  const confining = {
    permissions: NARROWED,
    config: { permissions: { [NARROWED]: narrowedProfile(id, tables) } },
  };
  const why = await whyNotReadOnly(client, cwd, confining);
  if (why === undefined) return confining;
  const message = `Codex's permission profile ${JSON.stringify(id)} cannot be made read-only: ${why}.`;
  throw new BrokerError("sandboxUnusable", message, {
    hint: "Correct the profile in Codex's config.toml; or name a sandbox with `--sandbox`, which replaces the profile and shows what it hides.",
  });
}

/** Asks Codex what it makes of the profile, with a thread that leaves nothing behind. */
async function whyNotReadOnly(
  client: BrokerClient,
  cwd: string | undefined,
  confining: Confining,
): Promise<string | undefined> {
  const deadline = Deadline.after(ANSWER_LIMIT_MS);
  const params = { cwd: cwd ?? null, ephemeral: true, ...confining };
  let opened: v2.ThreadStartResponse;
  try {
    opened = (await client.request("thread/start", params, { deadline })) as typeof opened;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return messageOf(error).replace(/\.$/, "");
  }
  const { thread, sandbox, activePermissionProfile } = opened;
  await client.request("thread/unsubscribe", { threadId: thread.id }, { deadline });
  if (activePermissionProfile?.id !== confining.permissions) return "Codex does not apply it";
  const isReadOnly = sandbox.type === "readOnly" && !sandbox.networkAccess;
  return isReadOnly ? undefined : "something could still be written or reached over the network";
}
