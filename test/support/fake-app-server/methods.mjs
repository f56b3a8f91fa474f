import { RpcError } from "./rpc-error.mjs";

/**
 * @typedef {Record<string, unknown>} Params
 * @typedef {(result: object) => void} Reply Sends the answer, so that a method can say things before and after it.
 *
 * @typedef {object} Method
 * @property {readonly string[]} [needs] Fields that must be there.
 * @property {boolean} [isExperimental]
 * @property {boolean} [isNewWork] Refused while draining.
 * @property {(params: Params, reply: Reply) => void | Promise<void>} run
 *
 * @typedef {object} Host
 * @property {import("./plan.mjs").Start} start
 * @property {import("./threads.mjs").Threads} threads
 * @property {import("./server-requests.mjs").ServerRequests} serverRequests
 * @property {(method: string, params: object) => Promise<void>} notify
 * @property {() => string} originator Name of the client that initialized first.
 */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The requests that a client may send after `initialize`. @param {Host} host @returns {Map<string, Method>} */
export function openMethods({ start, threads, serverRequests, notify, originator }) {
  /** @param {string} id @param {boolean} withTurns */
  const threadResult = (id, withTurns) => {
    const thread = threads.view(id, withTurns);
    return {
      thread,
      model: "mock-model",
      modelProvider: "mock",
      cwd: thread.cwd,
      approvalPolicy: "never",
      sandbox: { type: "dangerFullAccess" },
      reasoningEffort: null,
    };
  };

  /** @type {Record<string, Method>} */
  const methods = {
    "thread/start": {
      isNewWork: true,
      run: async (params, reply) => {
        const id = threads.create({
          cwd: typeof params["cwd"] === "string" ? params["cwd"] : process.cwd(),
          ephemeral: params["ephemeral"] === true,
          originator: originator(),
        });
        const { thread, ...rest } = threadResult(id, false);
        if (start.behaviour.eventsBeforeStart === true) {
          await notify("thread/started", { thread });
          await notify("thread/status/changed", { threadId: id, status: thread.status });
          reply({ thread, ...rest });
        } else {
          reply({ thread, ...rest });
          await notify("thread/started", { thread });
        }
      },
    },
    "thread/resume": {
      needs: ["threadId"],
      isNewWork: true,
      run: async (params, reply) => {
        const id = threadId(params);
        const withTurns = params["excludeTurns"] !== true;
        if (withTurns) {
          const summary = "Full-history hydration is deprecated for paginated threads.";
          await notify("deprecationNotice", { summary, details: null });
        }
        await threads.resume(id);
        reply(threadResult(id, withTurns));
      },
    },
    "thread/read": {
      needs: ["threadId"],
      run: (params, reply) => {
        const thread = threads.view(threadId(params), params["includeTurns"] === true);
        reply({ thread, readState: null });
      },
    },
    "thread/loaded/list": {
      run: (params, reply) => {
        const limit = typeof params["limit"] === "number" ? params["limit"] : Infinity;
        const nextCursor = threads.size > limit ? String(limit) : null;
        reply({ data: threads.first(limit), nextCursor });
      },
    },
    "thread/turns/list": {
      needs: ["threadId"],
      run: (params, reply) => {
        reply({ data: threads.turns(threadId(params)), nextCursor: null, backwardsCursor: null });
      },
    },
    "thread/unsubscribe": {
      needs: ["threadId"],
      run: (params, reply) => {
        reply({ status: threads.unsubscribe(threadId(params)) });
      },
    },
    "turn/start": {
      needs: ["threadId", "input"],
      isNewWork: true,
      run: async (params, reply) => {
        await threads.startTurn(threadId(params), params["input"], reply);
      },
    },
    "turn/steer": {
      needs: ["threadId", "expectedTurnId", "input"],
      isNewWork: true,
      run: async (params, reply) => {
        const expected = String(params["expectedTurnId"]);
        await threads.steerTurn(threadId(params), expected, params["input"], reply);
      },
    },
    "turn/interrupt": {
      needs: ["threadId", "turnId"],
      run: async (params, reply) => {
        await threads.interruptTurn(threadId(params), String(params["turnId"]), reply);
      },
    },
    "account/read": {
      run: (_params, reply) => {
        reply({ account: null, userId: null, requiresOpenaiAuth: false, workspaceRouting: null });
      },
    },
    "server/diagnostics": {
      isExperimental: true,
      run: (_params, reply) => {
        const { rss } = process.memoryUsage();
        reply({
          process: { id: process.pid, residentMemoryBytes: rss, physicalFootprintBytes: null },
          gauges: [
            { name: "app.requests.in_flight", value: 1 },
            { name: "app.requests.queued", value: 0 },
            { name: "app.server_requests.pending", value: serverRequests.pending },
            { name: "core.threads.live", value: threads.size },
            { name: "core.turns.active", value: threads.activeTurns },
          ],
        });
      },
    },
  };
  return new Map(Object.entries(methods));
}

/** @param {Params} params */
function threadId(params) {
  const id = String(params["threadId"]);
  if (!UUID.test(id)) {
    const [first = ""] = id;
    throw new RpcError(
      `invalid thread id: invalid character: expected an optional prefix of \`urn:uuid:\` followed by [0-9a-fA-F-], found \`${first}\` at 1`,
    );
  }
  return id;
}
