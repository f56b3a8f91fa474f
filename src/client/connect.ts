import { Deadline, durationMs } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { ensureBroker, servingEpoch, type Ensured } from "../lifecycle/ensure.ts";
import { resolveScope, wantsPrivacy, type Scope, type ScopeOptions } from "../lifecycle/scope.ts";
import type { BrokerLimits } from "../lifecycle/start-protocol.ts";
import type { Draining } from "../wire/broker-protocol.ts";
import { AskedQuestions } from "./asked-questions.ts";
import { BrokerClient } from "./broker-client.ts";
import type { Opened } from "./opened.ts";
import { Inbox, type NotificationListener } from "./inbox.ts";
import { openHealthy } from "./open.ts";
import { withNeeded } from "./needed-notifications.ts";
import { checkPolicy } from "../policy/policy-schema.ts";
import type { Policy } from "../wire/policy.ts";
import { OpenWork } from "./open-work.ts";

const DEFAULT_START_TIMEOUT_MS = 60_000;

/** `private` is also asked for by CODEX_BROKER_PRIVATE=1. */
export interface ConnectOptions extends ScopeOptions {
  /** Shown by `status`. Default: this package's name and version. */
  readonly clientInfo?: {
    readonly name: string;
    readonly title?: string;
    readonly version: string;
  };
  /** Milliseconds until a healthy broker must have been found or started; Infinity for no limit. Default: 60,000. */
  readonly startTimeoutMs?: number;
  /** For a broker that this call starts; one that runs keeps its own. */
  readonly limits?: Partial<BrokerLimits>;
  /** Use Codex's experimental methods and hear its experimental notifications. Default: no. */
  readonly experimentalApi?: boolean;
  /** Notifications that are not wanted, by their exact names. */
  readonly optOutNotificationMethods?: readonly string[];
  /** What the turns of this client may do without a person being asked. Default: nothing. */
  readonly policy?: Policy;
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
  checkPolicy(options.policy);
  const alone = options.private ?? wantsPrivacy(options.env ?? process.env);
  const scope = resolveScope({ ...options, private: alone });
  const startTimeoutMs = durationMs(
    options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
    "startTimeoutMs",
  );
  const inbox = new Inbox();
  // Asked for once: whichever broker comes after this one will do, whoever has started it.
  const newerThan = options.replace === true ? servingEpoch(scope) : undefined;
  const open = (signal: AbortSignal | undefined): Promise<Opened> => {
    const deadline = Deadline.after(startTimeoutMs);
    const until = { deadline, signal, newerThan };
    return openHealthy(scope, deadline, () => openOnce(scope, options, inbox, until));
  };
  return new BrokerClient(await open(options.signal), inbox, open, options.policy);
}

async function openOnce(
  scope: Scope,
  options: ConnectOptions,
  inbox: Inbox,
  until: {
    readonly deadline: Deadline;
    readonly signal: AbortSignal | undefined;
    readonly newerThan: number | undefined;
  },
): Promise<Opened> {
  const unwanted = new Set(options.optOutNotificationMethods);
  let draining = deferred<Draining>();
  let asked = new AskedQuestions();
  let work = new OpenWork();
  let heard = new Notifications();
  const { clientInfo, experimentalApi, optOutNotificationMethods, limits, env } = options;
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
        ...withNeeded({ optOutNotificationMethods }),
      },
      // More than one may be tried; what the others said is not said of the one that is kept.
      handlers: () => {
        const own = {
          draining: deferred<Draining>(),
          asked: new AskedQuestions(),
          work: new OpenWork(),
          heard: new Notifications(),
        };
        ({ draining, asked, work, heard } = own);
        return {
          onNotification: (method, params) => {
            if (method === "broker/draining") own.draining.resolve(params as Draining);
            if (!unwanted.has(method)) inbox.notification(method, params);
            if (method === "serverRequest/resolved") own.asked.resolved(params);
            own.heard.deliver(method, params);
          },
          onRequest: (method, params, id) =>
            own.asked.serve(id, (signal) => inbox.question(method, params, signal)),
          onBusy: (busy) => {
            inbox.busy(busy);
            own.work.awaitsAnswers(busy);
          },
        };
      },
    },
    ...(limits === undefined ? {} : { limits }),
    ...(until.newerThan === undefined ? {} : { newerThan: until.newerThan }),
    ...(env === undefined ? {} : { env }),
    ...(until.signal === undefined ? {} : { signal: until.signal }),
  });
  const { connection } = ensured.link;
  void connection.closed.then(() => asked.clear());
  const onNotification = (listener: NotificationListener): void => heard.deliverTo(listener);
  return { ...ensured, draining: draining.promise, work, onNotification };
}

/** The notifications of one connection, which has come to be before its listener. */
class Notifications {
  readonly #early: Array<readonly [method: string, params: unknown]> = [];
  #listener: NotificationListener | undefined;

  deliver(method: string, params: unknown): void {
    if (this.#listener === undefined) this.#early.push([method, params]);
    else this.#listener(method, params);
  }

  deliverTo(listener: NotificationListener): void {
    this.#listener = listener;
    for (const each of this.#early.splice(0)) listener(...each);
  }
}
