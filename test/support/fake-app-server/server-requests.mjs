/**
 * @typedef {Record<string, unknown>} Params
 * @typedef {{ threadId: string, turnId: string, itemId: string, cwd: string }} Place
 * @typedef {{ result?: unknown, error?: unknown }} Answer
 */

/** What Codex would say with each of its requests to the client. @type {Record<string, (place: Place) => Params>} */
const LIKELY_PARAMS = {
  "item/commandExecution/requestApproval": (place) => commandApproval(place, "echo hi"),
  "item/fileChange/requestApproval": ({ threadId, turnId, itemId }) => ({
    threadId,
    turnId,
    itemId,
    startedAtMs: Date.now(),
    reason: "the fake asks",
    grantRoot: null,
  }),
  "item/permissions/requestApproval": ({ threadId, turnId, itemId, cwd }) => ({
    threadId,
    turnId,
    itemId,
    environmentId: "local",
    startedAtMs: Date.now(),
    cwd,
    reason: "the fake asks",
    permissions: { network: { enabled: true }, fileSystem: null },
  }),
  "item/tool/requestUserInput": ({ threadId, turnId, itemId }) => ({
    threadId,
    turnId,
    itemId,
    questions: [
      {
        id: "colour",
        header: "Colour",
        question: "Which colour?",
        isOther: false,
        isSecret: false,
        options: [{ label: "red", description: "the first" }],
      },
    ],
    isBlocking: true,
    autoResolutionMs: null,
  }),
  "item/tool/call": ({ threadId, turnId, itemId }) => ({
    threadId,
    turnId,
    callId: itemId,
    namespace: null,
    tool: "weather",
    arguments: { town: "Ghent" },
  }),
  "mcpServer/elicitation/request": ({ threadId, turnId }) => ({
    threadId,
    turnId,
    serverName: "fake",
    mode: "form",
    _meta: null,
    message: "Allow the tool?",
    requestedSchema: { type: "object", properties: {} },
  }),
  "currentTime/read": ({ threadId }) => ({ threadId }),
  applyPatchApproval: ({ threadId, itemId }) => ({
    conversationId: threadId,
    callId: itemId,
    fileChanges: {},
    reason: "the fake asks",
    grantRoot: null,
  }),
  execCommandApproval: ({ threadId, itemId, cwd }) => ({
    conversationId: threadId,
    callId: itemId,
    approvalId: null,
    command: ["echo", "hi"],
    cwd,
    reason: "the fake asks",
    parsedCmd: [{ type: "unknown", cmd: "echo hi" }],
  }),
  "account/chatgptAuthTokens/refresh": () => ({ reason: "unauthorized", previousAccountId: null }),
  "attestation/generate": () => ({}),
};

/** Likely params of a server request; an unknown one has the thread. @param {string} method @param {Place} place */
export function likelyParams(method, place) {
  return LIKELY_PARAMS[method]?.(place) ?? { threadId: place.threadId };
}

/** @param {Place} place @param {string} command @returns {Params} */
export function commandApproval({ threadId, turnId, itemId, cwd }, command) {
  const amendment = command.split(" ");
  return {
    kind: "command",
    threadId,
    turnId,
    itemId,
    startedAtMs: Date.now(),
    environmentId: "local",
    reason: "the script asks for it",
    command: `/bin/bash -lc '${command}'`,
    cwd,
    commandActions: [{ type: "unknown", command }],
    proposedExecpolicyAmendment: amendment,
    availableDecisions: [
      "accept",
      { acceptWithExecpolicyAmendment: { execpolicy_amendment: amendment } },
      "cancel",
    ],
  };
}

/**
 * The requests to the client that wait for an answer. Ids count up from 0 over the whole process; an answer that names
 * no waiting one, or names it as a string, is ignored.
 *
 * @param {import("./output.mjs").Output} output
 */
export function openServerRequests(output) {
  /** @type {Map<number, (answer: Answer) => void>} */
  const waiting = new Map();
  let lastId = -1;

  return {
    get pending() {
      return waiting.size;
    },

    /**
     * Asks; when the signal fires first, the question is withdrawn and the wait never ends.
     *
     * @param {string} method @param {Params} params @param {AbortSignal} signal
     * @returns {{ id: number, answered: Promise<Answer> }}
     */
    ask(method, params, signal) {
      const id = ++lastId;
      /** @type {Promise<Answer>} */
      const answered = new Promise((resolve) => {
        waiting.set(id, resolve);
      });
      signal.addEventListener("abort", () => waiting.delete(id), { once: true });
      output.send({ method, id, params });
      return { id, answered };
    },

    /** @param {{ id?: unknown } & Answer} message */
    settle({ id, ...answer }) {
      if (typeof id !== "number") return;
      const resolve = waiting.get(id);
      waiting.delete(id);
      resolve?.(answer);
    },
  };
}

/** @typedef {ReturnType<typeof openServerRequests>} ServerRequests */
