// What the ids in Codex's messages name: something of one connection, which a broker has to map, or
// something that is the same on every connection. A property that looks like an id and is in no rule
// stops the generator: somebody has to decide what it names.

/**
 * @typedef {import("./protocol.mjs").Protocol} Protocol
 * @typedef {import("./protocol.mjs").Message} Message
 * @typedef {import("./type-reader.mjs").Type} Type
 * @typedef {"handle" | "clientRequest" | "serverRequest"} Scoped
 */

/**
 * Ids that mean something on one connection only.
 *
 * `handle`: the client chose the name. `clientRequest`: the id of a request of that client.
 * `serverRequest`: the id of a request of the app-server. Each must be a param itself, not a part of
 * one: only there the broker maps it.
 *
 * @type {{methods: RegExp, id: string, names: Scoped, newer?: string[]}[]} `newer`: methods that the
 *   pinned codex does not have yet, and that a user's codex may have.
 */
const scoped = [
  { methods: /^command\/exec(\/|$)/, id: "processId", names: "handle" },
  { methods: /^process\//, id: "processHandle", names: "handle" },
  { methods: /^fs\/(watch|unwatch|changed)$/, id: "watchId", names: "handle" },
  { methods: /^fuzzyFileSearch$/, id: "cancellationToken", names: "handle" },
  { methods: /^fuzzyFileSearch\/session/, id: "sessionId", names: "handle" },
  { methods: /^mcpServer\/event\/stream\//, id: "subscriptionId", names: "handle" },
  {
    methods: /^(thread\/sample|thread\/search|thread\/search\/stream|userVerification)\/cancel$/,
    id: "requestId",
    names: "clientRequest",
    newer: ["thread/search/cancel", "thread/search/stream/cancel"],
  },
  {
    methods: /^thread\/search\/partial$/,
    id: "requestId",
    names: "clientRequest",
    newer: ["thread/search/partial"],
  },
  { methods: /^serverRequest\/resolved$/, id: "requestId", names: "serverRequest" },
];

/** @type {{because: string, ids: string[], methods?: RegExp}[]} */
const shared = [
  {
    because: "threads, turns and what is in them have the same name on every connection",
    ids: [
      "agentThreadId",
      "ancestorThreadId",
      "attachedToThreadId",
      "beforeThreadId",
      "beforeTurnId",
      "conversationId",
      "excludedThreadIds",
      "expectedTurnId",
      "fileId",
      "forkedFromId",
      "generationId",
      "hookRunId",
      "id",
      "itemId",
      "itemIds",
      "lastTurnId",
      "parentThreadId",
      "parentTurnId",
      "queuedSubmissionId",
      "queuedSubmissionIds",
      "receiverThreadIds",
      "responseId",
      "reviewId",
      "reviewThreadId",
      "rootTurnId",
      "senderThreadId",
      "sourceTurnId",
      "targetItemId",
      "threadId",
      "threadIds",
      "turnId",
    ],
  },
  {
    because: "a process that a turn has started, by the name that Codex gave it in its thread",
    ids: ["processId"],
    methods: /^(thread|turn|review|item)\//,
  },
  {
    because: "the session that a thread belongs to in Codex's history, or one of an account",
    ids: ["activeSessionId", "sessionId"],
    methods: /^(thread\/|accountSession\/)/,
  },
  {
    because:
      "a call or a question inside a turn, or one of an MCP server: Codex has chosen the name",
    ids: ["approvalId", "callId", "elicitationId", "originCallId"],
  },
  {
    because:
      "a mark that the client puts on its input and that everyone who follows the thread sees",
    ids: ["clientId", "clientUserMessageId"],
  },
  {
    because: "a thread has one voice session at most, and it belongs to the thread",
    ids: ["realtimeSessionId", "voiceSessionId"],
  },
  {
    because: "what is kept beyond the app-server's life: projects, sections, attachments",
    ids: [
      "attachmentId",
      "beforeProjectId",
      "idempotencyKey",
      "identityKey",
      "projectId",
      "sectionId",
    ],
  },
  {
    because: "the app-server has one of each for all its connections",
    ids: ["environmentId", "importId", "installationId", "loginId"],
  },
  {
    because: "what accounts, catalogues and services call it",
    ids: [
      "accountId",
      "appIds",
      "bundleIds",
      "canonicalConnectorId",
      "chatgptAccountId",
      "connectorId",
      "creatorAccountUserId",
      "credentialId",
      "creditId",
      "defaultProviderId",
      "disabledPluginIds",
      "failedMaterializationRemotePluginIds",
      "failedRemotePluginIds",
      "featuredPluginIds",
      "installAttemptId",
      "limitId",
      "linkId",
      "materializedAppIds",
      "messageId",
      "missingAppIds",
      "pluginId",
      "previousAccountId",
      "principalId",
      "providerId",
      "rateLimitsByLimitId",
      "remotePluginId",
      "selectedWorkspaceAccountId",
      "templateId",
      "userId",
      "versionId",
      "websocketRequestId",
    ],
  },
  {
    because: "a secret, or where one is to be found",
    ids: [
      "accessKeyId",
      "accessToken",
      "apiKey",
      "authBearerToken",
      "authToken",
      "envKey",
      "publicKey",
      "secretAccessKey",
      "sessionToken",
    ],
  },
  {
    because: "no name of anything: an order, a place in a list, a wish",
    ids: [
      "backwardsCursor",
      "cursor",
      "includeToken",
      "itemsBackwardsCursor",
      "nextCursor",
      "refreshToken",
      "sortKey",
      "turnCursor",
      "turnsBackwardsCursor",
    ],
  },
];

const looksLikeId = /^(id|ids|cursor)$|(Ids?|Handles?|Token|Key|Nonce|Cursor)$/;

/** Which of the ids in messages belong to one connection, and whether each that there is has a rule. */
export class Ids {
  /** @type {Protocol} */
  #protocol;
  #used = new Set();
  /** @type {Map<string, Record<string, Scoped>>} */
  #found = new Map();

  /** @param {Protocol} protocol */
  constructor(protocol) {
    this.#protocol = protocol;
  }

  /**
   * Notes what the params of a message name, or those of its result.
   * @param {string} method
   * @param {string | undefined} type
   * @throws when no rule says what an id in it names.
   */
  add(method, type) {
    const rules = scoped.filter(({ methods }) => methods.test(method));
    /** @type {Record<string, Scoped>} */
    const found = {};
    for (const { name, path, isRequestId } of this.#protocol.everyProperty(type)) {
      if (!isRequestId && !looksLikeId.test(name)) continue;
      const rule = path.length === 1 ? rules.find(({ id }) => id === name) : undefined;
      if (rule !== undefined) {
        this.#used.add(rule);
        found[name] = rule.names;
        continue;
      }
      const reason = shared.find(
        ({ ids, methods }) => ids.includes(name) && methods?.test(method) !== false,
      );
      if (reason === undefined || isRequestId) {
        throw new Error(
          `${method}: no rule in scripts/generate/ids.mjs says what ${path.join(".")} names`,
        );
      }
      this.#used.add(`${shared.indexOf(reason)} ${name}`);
    }
    if (Object.keys(found).length > 0) this.#found.set(method, found);
  }

  /**
   * What belongs to one connection, by method, those of a newer codex last.
   * @throws when a rule says something of which there is nothing.
   */
  table() {
    for (const rule of scoped) {
      const { methods, id, names, newer = [] } = rule;
      if (!this.#used.has(rule) && newer.length === 0) throw new Error(`no ${methods} has a ${id}`);
      for (const method of newer) {
        if (this.#found.has(method)) throw new Error(`this codex has ${method}: it is not newer`);
        this.#found.set(method, { [id]: names });
      }
    }
    for (const [index, { ids }] of shared.entries()) {
      for (const id of ids) {
        if (!this.#used.has(`${index} ${id}`)) throw new Error(`no message has a ${id}`);
      }
    }
    return this.#found;
  }
}
