// What a broker must know of each method to route it, derived from the protocol's types.

/**
 * @typedef {import("./protocol.mjs").Protocol} Protocol
 * @typedef {import("./protocol.mjs").Message} Message
 */

/**
 * Handles that a client chooses and that mean something on its connection only. Two clients may
 * choose the same one, so whoever shares a connection has to rename them.
 */
const handleRules = [
  { methods: /^command\/exec(\/|$)/, handle: "processId" },
  { methods: /^process\//, handle: "processHandle" },
  { methods: /^fs\/(watch|unwatch|changed)$/, handle: "watchId" },
  { methods: /^fuzzyFileSearch$/, handle: "cancellationToken" },
  { methods: /^fuzzyFileSearch\/session/, handle: "sessionId" },
  { methods: /^mcpServer\/event\/stream\//, handle: "subscriptionId" },
];

/** Properties whose name alone says that the client chose them. */
const alwaysHandles = ["processHandle", "watchId", "subscriptionId", "cancellationToken"];

/** Results that are not named after their params, or after their method where there are none. */
const resultNames = new Map([
  ["account/gatewayOAuth/cancel", "GatewayOAuthCancelResponse"],
  ["account/logout", "LogoutAccountResponse"],
  ["account/securitySetup/read", "GetAccountSecuritySetupResponse"],
  ["account/workspaceMessages/read", "GetWorkspaceMessagesResponse"],
  ["accountSession/list", "AccountSessionsResponse"],
  ["config/batchWrite", "ConfigWriteResponse"],
  ["config/mcpServer/reload", "McpServerRefreshResponse"],
  ["config/value/write", "ConfigWriteResponse"],
  ["externalAgentConfig/import/readHistories", "ExternalAgentConfigImportHistoriesReadResponse"],
]);

/**
 * @param {Protocol} full the protocol with its experimental part
 * @param {Protocol} stable the protocol without it
 */
export function tables(full, stable) {
  /** @param {string} union */
  const stableMethods = (union) => new Set(stable.messages(union).map(({ method }) => method));
  const usedResultNames = new Set();
  const usedRules = new Set();

  /** @param {Message} message */
  const result = ({ method, params }) => {
    const listed = resultNames.get(method);
    if (listed !== undefined) usedResultNames.add(method);
    const stem = params?.replace(/^v\d\.|Params$/g, "") ?? pascal(method);
    const name = full.locate(listed ?? `${stem}Response`);
    if (name === undefined) {
      throw new Error(`${method}: no type ${listed ?? `${stem}Response`}; list its result's name`);
    }
    return name;
  };

  /** @param {string} method @param {Map<string, unknown>} properties */
  const handles = (method, properties) => {
    const rules = handleRules.filter((rule) => rule.methods.test(method));
    for (const rule of rules) {
      usedRules.add(rule);
      if (!properties.has(rule.handle)) throw new Error(`${method} has no ${rule.handle}`);
    }
    const found = rules.map((rule) => rule.handle);
    const unknown = alwaysHandles.find((name) => properties.has(name) && !found.includes(name));
    if (unknown) throw new Error(`${method} has a ${unknown}, and no rule says so`);
    return found;
  };

  const stableRequests = stableMethods("ClientRequest");
  const clientRequests = full.messages("ClientRequest").map((message) => {
    const { method } = message;
    const properties = full.properties(message.params);
    const threadId = ["threadId", "conversationId"].find((name) => properties.has(name)) ?? null;
    const resultName = result(message);
    const resultProperties = full.properties(resultName);
    return {
      method,
      params: paramsType(message),
      result: resultName,
      facts: {
        stable: stableRequests.has(method),
        threadId,
        threadIdRequired: threadId !== null && properties.get(threadId)?.required === true,
        handles: handles(method, properties),
        resultThread: resultProperties.has("reviewThreadId")
          ? "reviewThreadId"
          : full.properties(resultProperties.get("thread")?.type).has("id")
            ? "thread.id"
            : null,
      },
    };
  });

  const stableNotifications = stableMethods("ServerNotification");
  const serverNotifications = full.messages("ServerNotification").map((message) => {
    const { method } = message;
    const properties = full.properties(message.params);
    const own = properties.get("threadId");
    const inner = full.properties(properties.get("thread")?.type).get("id");
    return {
      method,
      params: paramsType(message),
      facts: {
        stable: stableNotifications.has(method),
        threadId: own ? "threadId" : inner ? "thread.id" : null,
        nullable: own?.nullable ?? false,
        handles: handles(method, properties),
      },
    };
  });

  const stableAsked = stableMethods("ServerRequest");
  const serverRequests = full.messages("ServerRequest").map((message) => {
    const { method } = message;
    const properties = full.properties(message.params);
    return {
      method,
      params: paramsType(message),
      result: result(message),
      facts: {
        stable: stableAsked.has(method),
        threadId: ["threadId", "conversationId"].find((name) => properties.has(name)) ?? null,
        turnId: properties.has("turnId") ? "turnId" : null,
      },
    };
  });

  for (const method of resultNames.keys()) {
    if (!usedResultNames.has(method)) throw new Error(`no method ${method}; its result is listed`);
  }
  for (const rule of handleRules) {
    if (!usedRules.has(rule)) throw new Error(`no method matches ${rule.methods}`);
  }
  return { clientRequests, serverNotifications, serverRequests };
}

/** @param {Message} message */
function paramsType({ params, absent }) {
  return [...(params === undefined ? [] : [params]), ...absent].join(" | ");
}

/** @param {string} method */
function pascal(method) {
  return method
    .split(/[/_]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}
