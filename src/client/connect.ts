import { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { ensureBroker, type Ensured } from "../lifecycle/ensure.ts";
import { readEpoch } from "../lifecycle/epoch-file.ts";
import { resolveScope, type Scope, type ScopeOptions } from "../lifecycle/scope.ts";
import type { BrokerLimits } from "../lifecycle/start-protocol.ts";
import type { Draining } from "../wire/broker-protocol.ts";
import { BrokerClient, type Opened } from "./broker-client.ts";
import { Inbox } from "./inbox.ts";

const DEFAULT_START_TIMEOUT_MS = 60_000;

export interface ConnectOptions extends ScopeOptions {
  /** Shown by `status`. Default: this package's name and version. */
  readonly clientInfo?: {
    readonly name: string;
    readonly title?: string;
    readonly version: string;
  };
  /** Milliseconds until a healthy broker must have been found or started. Default: 60,000. */
  readonly startTimeoutMs?: number;
  /** For a broker that this call starts; one that runs keeps its own. */
  readonly limits?: Partial<BrokerLimits>;
  /** Use Codex's experimental methods and hear its experimental notifications. Default: no. */
  readonly experimentalApi?: boolean;
  /** Notifications that are not wanted, by their exact names. */
  readonly optOutNotificationMethods?: readonly string[];
  /** Start a new broker even if a healthy one is there; running turns finish in the old one. */
  readonly replace?: boolean;
  /** Gives up waiting. A broker that was being started meanwhile stays. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to the workspace's broker and starts one if there is none. When this returns, the broker's
 * app-server has answered.
 *
 * @throws BrokerError — see `docs/errors.md`.
 */
export async function connectBroker(options: ConnectOptions = {}): Promise<BrokerClient> {
  const scope = resolveScope(options);
  const inbox = new Inbox();
  const first = await openHealthy(scope, options, inbox, options.signal);
  const { replace: _onlyOnce, ...later } = options;
  return new BrokerClient(first, inbox, (signal) => openHealthy(scope, later, inbox, signal));
}

async function openHealthy(
  scope: Scope,
  options: ConnectOptions,
  inbox: Inbox,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const deadline = Deadline.after(options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS);
  for (;;) {
    const opened = await openOnce(scope, options, inbox, { deadline, signal });
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

async function openOnce(
  scope: Scope,
  options: ConnectOptions,
  inbox: Inbox,
  until: { readonly deadline: Deadline; readonly signal: AbortSignal | undefined },
): Promise<Opened> {
  const draining = deferred<Draining>();
  const { clientInfo, experimentalApi, optOutNotificationMethods, limits, env, replace } = options;
  const ensured: Ensured = await ensureBroker({
    scope,
    deadline: until.deadline,
    introduction: {
      clientInfo: {
        title: null,
        ...(clientInfo ?? { name: "codex-broker", version: BROKER_VERSION }),
      },
      capabilities: {
        experimentalApi: experimentalApi ?? false,
        requestAttestation: false,
        ...(optOutNotificationMethods === undefined ? {} : { optOutNotificationMethods }),
      },
      handlers: {
        onNotification: (method, params) => {
          if (method === "broker/draining") draining.resolve(params as Draining);
          inbox.notification(method, params);
        },
        onRequest: (method, params) => inbox.question(method, params),
        onBusy: (busy) => inbox.busy(busy),
      },
    },
    ...(limits === undefined ? {} : { limits }),
    ...(replace === undefined ? {} : { replace }),
    ...(env === undefined ? {} : { env }),
    ...(until.signal === undefined ? {} : { signal: until.signal }),
  });
  return { ...ensured, draining: draining.promise };
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
