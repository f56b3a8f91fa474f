// What a broker must know of each method to route it, derived from the protocol's types.
import { Ids } from "./ids.mjs";

/**
 * @typedef {import("./protocol.mjs").Protocol} Protocol
 * @typedef {import("./protocol.mjs").Message} Message
 */

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
  const ids = new Ids(full);

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

  const stableRequests = stableMethods("ClientRequest");
  const clientRequests = full.messages("ClientRequest").map((message) => {
    const { method } = message;
    const properties = full.properties(message.params);
    const threadId = ["threadId", "conversationId"].find((name) => properties.has(name)) ?? null;
    const resultName = result(message);
    const resultProperties = full.properties(resultName);
    ids.add(method, message.params);
    ids.add(method, resultName);
    return {
      method,
      params: paramsType(message),
      result: resultName,
      facts: {
        stable: stableRequests.has(method),
        threadId,
        threadIdRequired: threadId !== null && properties.get(threadId)?.required === true,
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
    ids.add(method, message.params);
    const inner = full.properties(properties.get("thread")?.type).get("id");
    return {
      method,
      params: paramsType(message),
      facts: {
        stable: stableNotifications.has(method),
        threadId: own ? "threadId" : inner ? "thread.id" : null,
        nullable: own?.nullable ?? false,
      },
    };
  });

  const stableAsked = stableMethods("ServerRequest");
  const serverRequests = full.messages("ServerRequest").map((message) => {
    const { method } = message;
    const properties = full.properties(message.params);
    const resultName = result(message);
    ids.add(method, message.params);
    ids.add(method, resultName);
    return {
      method,
      params: paramsType(message),
      result: resultName,
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
  return { clientRequests, serverNotifications, serverRequests, connectionIds: ids.table() };
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
