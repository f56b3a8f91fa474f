/**
 * What the broker knows of Codex's methods: the generated tables, and next to them the judgements
 * that no generator can make. Each of those carries its reason.
 */
import {
  clientRequests,
  connectionIds,
  serverNotifications,
  serverRequests,
  type ClientRequestFacts,
  type ConnectionId,
  type ServerNotificationFacts,
  type ServerRequestFacts,
} from "./generated/methods.ts";
import type { ClientRequests, ServerNotifications, ServerRequests } from "./generated/index.ts";

export type { ClientRequestFacts, ConnectionId, ServerNotificationFacts, ServerRequestFacts };

/** A request that a client sends to the app-server. */
export type ClientMethod = keyof ClientRequests;
/** Something that the app-server tells. */
export type NotificationMethod = keyof ServerNotifications;
/** Something that the app-server asks. */
export type ServerMethod = keyof ServerRequests;

/** Facts of a client's request; undefined for a method that this codex did not have. */
export function requestFacts(method: string): ClientRequestFacts | undefined {
  return Object.hasOwn(clientRequests, method) ? clientRequests[method as ClientMethod] : undefined;
}

/** Facts of a notification; undefined for a method that this codex did not have. */
export function notificationFacts(method: string): ServerNotificationFacts | undefined {
  return Object.hasOwn(serverNotifications, method)
    ? serverNotifications[method as NotificationMethod]
    : undefined;
}

/** Facts of a request of the app-server; undefined for a method that this codex did not have. */
export function serverRequestFacts(method: string): ServerRequestFacts | undefined {
  return Object.hasOwn(serverRequests, method) ? serverRequests[method as ServerMethod] : undefined;
}

/** Whether a message with that method, in whatever direction, is in the tables. */
export function isKnownMethod(method: string): boolean {
  return [clientRequests, serverNotifications, serverRequests, connectionIds].some((table) =>
    Object.hasOwn(table, method),
  );
}

/** The params of these messages that are ids of that kind, and mean something on one connection only. */
export function paramsThatName(what: ConnectionId, method: string): readonly string[] {
  const ids = Object.hasOwn(connectionIds, method) ? connectionIds[method] : undefined;
  return Object.entries(ids ?? {}).flatMap(([param, names]) => (names === what ? param : []));
}

/** Methods that share a property, and why they have it. */
export interface Judgement {
  readonly because: string;
  readonly methods: readonly ClientMethod[];
}

/**
 * Requests that only read: sent a second time after a lost or refused first time, they do no harm.
 * Left out on purpose: `account/read` and `getAuthStatus`, which can be told to use up a refresh
 * token, and `mcpServer/resource/read`, which runs somebody else's code.
 */
export const safeToRepeat: readonly Judgement[] = [
  {
    because: "answered from the app-server's own tables",
    methods: [
      "server/diagnostics",
      "mock/experimentalMethod",
      "thread/loaded/list",
      "thread/backgroundTerminals/list",
      "userVerification/status",
      "remoteControl/status/read",
      "remoteControl/pairing/status",
      "environment/info",
      "environment/status",
      "windowsSandbox/readiness",
    ],
  },
  {
    because: "reads what is kept of threads, their turns and their order",
    methods: [
      "thread/list",
      "thread/read",
      "thread/turns/list",
      "thread/items/list",
      "thread/items/read",
      "thread/timeline/list",
      "thread/search",
      "thread/searchOccurrences",
      "thread/goal/get",
      "thread/queue/list",
      "thread/attachment/list",
      "thread/attachmentOwner/list",
      "thread/memory/read",
      "threadSection/list",
      "memory/status",
      "project/list",
      "project/read",
      "getConversationSummary",
    ],
  },
  {
    because: "reads configuration and catalogues",
    methods: [
      "config/read",
      "configRequirements/read",
      "model/list",
      "modelProvider/list",
      "modelProvider/capabilities/read",
      "permissionProfile/list",
      "experimentalFeature/list",
      "collaborationMode/list",
      "thread/realtime/listVoices",
      "skills/list",
      "hooks/list",
      "plugin/list",
      "plugin/search",
      "plugin/installed",
      "plugin/read",
      "plugin/skill/read",
      "plugin/share/list",
      "app/read",
      "app/list",
      "app/installed",
      "mcpServerStatus/list",
      "externalAgentConfig/detect",
      "externalAgentConfig/import/readHistories",
    ],
  },
  {
    because: "asks a service about the account without changing it",
    methods: [
      "account/rateLimits/read",
      "account/usage/read",
      "account/securitySetup/read",
      "account/workspaceMessages/read",
      "account/gatewayOAuth/read",
      "account/bedrock/discover",
      "account/bedrock/checkGovCloudRequirements",
      "accountSession/list",
      "remoteControl/client/list",
    ],
  },
  {
    because: "reads files",
    methods: [
      "fs/readFile",
      "fs/getMetadata",
      "fs/readDirectory",
      "fuzzyFileSearch",
      "gitDiffToRemote",
    ],
  },
];

/**
 * Requests whose answer may rightly take as long as it takes. What ends them without one: the end of
 * the broker or of the app-server, with an error for whoever waits; and for commands, streams and
 * searches the end of the session, for tool calls that of the thread.
 */
export const mayRunLong: readonly Judgement[] = [
  {
    because: "the answer comes when the command has ended",
    methods: ["command/exec"],
  },
  {
    because: "a tool or server of somebody else's answers, or does not",
    methods: [
      "mcpServer/tool/call",
      "mcpServer/resource/read",
      "mcpServer/event/stream/start",
      "mcpServerStatus/list",
      "config/mcpServer/reload",
    ],
  },
  {
    because: "a person may have to act first, in a browser or at a sensor",
    methods: [
      "account/login/start",
      "account/gatewayOAuth/login",
      "account/bedrock/setup",
      "account/gcp/setup",
      "mcpServer/oauth/login",
      "userVerification/enroll",
      "userVerification/verify",
    ],
  },
  {
    because: "a model is asked before the answer",
    methods: ["thread/sample", "thread/guardianReview"],
  },
  {
    because: "something is downloaded or uploaded",
    methods: [
      "plugin/install",
      "plugin/reconcile",
      "plugin/share/save",
      "plugin/share/checkout",
      "marketplace/add",
      "marketplace/upgrade",
      "feedback/upload",
      "feedback/save",
    ],
  },
  {
    because: "it goes through as many files as there are",
    methods: [
      "fs/copy",
      "fs/remove",
      "gitDiffToRemote",
      "fuzzyFileSearch",
      "thread/search",
      "externalAgentConfig/detect",
      "externalAgentConfig/import",
    ],
  },
];

/**
 * Which request ends which other one of its connection that is still being worked on. Those of
 * `thread/search` came with codex 0.171; an older one refuses them, and its searches end by themselves.
 */
const cancelledBy: Readonly<Record<string, string>> = {
  "thread/sample": "thread/sample/cancel",
  "thread/search": "thread/search/cancel",
  "thread/search/stream": "thread/search/stream/cancel",
  "userVerification/enroll": "userVerification/cancel",
  "userVerification/delete": "userVerification/cancel",
  "userVerification/verify": "userVerification/cancel",
};

/** The request that ends one with that method, by its id in `requestId`. */
export function cancelOf(method: string): string | undefined {
  return Object.hasOwn(cancelledBy, method) ? cancelledBy[method] : undefined;
}

/**
 * Everything else answers within 10 ms when all is well. Two minutes leave room for a host that
 * swaps and for MCP servers that a thread waits for at its start.
 */
export const ORDINARY_LIMIT_MS = 120_000;

/** How far a notification about a thread reaches beyond the subscribers of that thread. */
export type Reach =
  /** To every session, whether the thread is loaded or not. */
  | "everyone"
  /** To the subscribers; to every session where the thread is not loaded. */
  | "stored"
  /** As `stored`, but it may be an early event of a thread that is being opened. */
  | "broadcast";

/**
 * Notifications about a thread that Codex sends to every connection. All others it sends to the
 * subscribers of the thread alone.
 */
export const broadcasts: readonly {
  readonly reach: Reach;
  readonly because: string;
  readonly methods: readonly NotificationMethod[];
}[] = [
  {
    reach: "everyone",
    because: "it changes what a list of threads shows",
    methods: [
      "thread/archived",
      "thread/unarchived",
      "thread/deleted",
      "thread/name/updated",
      "thread/reverted",
      "thread/section/changed",
      "thread/attachment/updated",
      "thread/project/updated",
    ],
  },
  {
    reach: "stored",
    because: "it can be requested of a thread that is not loaded",
    methods: [
      "thread/closed",
      "thread/goal/updated",
      "thread/goal/cleared",
      "thread/queue/changed",
      "mcpServer/oauthLogin/completed",
    ],
  },
  {
    reach: "broadcast",
    because: "it announces the state of a loaded thread",
    methods: ["thread/started", "thread/status/changed"],
  },
];

const reaches = new Map<string, Reach>(
  broadcasts.flatMap(({ reach, methods }) => methods.map((method) => [method, reach] as const)),
);

/** How far a notification reaches; undefined when Codex sends it to subscribers alone. */
export function reachOf(method: string): Reach | undefined {
  return reaches.get(method);
}

const repeatable = methodsOf(safeToRepeat);
const long = methodsOf(mayRunLong);

/** Whether a request that may or may not have arrived can simply be sent again. */
export function isSafeToRepeat(method: string): boolean {
  return repeatable.has(method);
}

/**
 * Milliseconds a request may take. Infinity for what may run for as long as the app-server lives,
 * and for a method that this table does not know: nothing says how long it ought to take.
 */
export function limitMsOf(method: string): number {
  return long.has(method) || requestFacts(method) === undefined ? Infinity : ORDINARY_LIMIT_MS;
}

function methodsOf(judgements: readonly Judgement[]): ReadonlySet<string> {
  return new Set(judgements.flatMap(({ methods }) => methods));
}
