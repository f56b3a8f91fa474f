import { randomUUID } from "node:crypto";

import { codexVersion } from "./plan.mjs";
import { RpcError } from "./rpc-error.mjs";
import { TurnRun } from "./turn-runner.mjs";

/**
 * @typedef {import("./thread-store.mjs").Thread} Thread
 * @typedef {import("./thread-store.mjs").Turn} Turn
 * @typedef {import("./thread-store.mjs").ThreadStore} ThreadStore
 * @typedef {import("./turn-runner.mjs").Surroundings} Surroundings
 *
 * @typedef {object} Loaded A thread in memory.
 * @property {Thread} record
 * @property {boolean} isSubscribed
 * @property {{ turn: Turn, run: TurnRun } | undefined} active
 */

/** Longest input of a turn, in characters. */
const INPUT_LIMIT = 1_048_576;

/** The threads of one process. */
export class Threads {
  /** @type {Map<string, Loaded>} */
  #loaded = new Map();

  /** @param {Surroundings} surroundings @param {ThreadStore} store */
  constructor(surroundings, store) {
    this.surroundings = surroundings;
    this.store = store;
  }

  get size() {
    return this.#loaded.size;
  }

  /** Whoever asks for one of ten thousand does not wait for the others, as with the real one. @param {number} limit */
  first(limit) {
    const ids = [];
    for (const id of this.#loaded.keys()) {
      if (ids.length >= limit) break;
      ids.push(id);
    }
    return ids;
  }

  get activeTurns() {
    return [...this.#loaded.values()].filter(({ active }) => active !== undefined).length;
  }

  /** @param {{ cwd: string, ephemeral: boolean, originator: string }} settings */
  create(settings) {
    const record = { id: randomUUID(), ...settings, createdAt: seconds(), preview: "", turns: [] };
    this.store.lock(record.id);
    this.#loaded.set(record.id, { record, isSubscribed: true, active: undefined });
    return record.id;
  }

  /** Loads a thread that was left, or subscribes to one in memory. @param {string} id */
  async resume(id) {
    const known = this.#loaded.get(id);
    if (known !== undefined && known.record.turns.length > 0) {
      known.isSubscribed = true;
      return;
    }
    const record = this.store.read(id);
    if (record === undefined) throw new RpcError(`no rollout found for thread id ${id}`);
    this.store.lock(id);
    this.#loaded.set(id, { record, isSubscribed: true, active: undefined });
    await this.#status(id, { type: "idle" });
  }

  /** @param {string} id */
  unsubscribe(id) {
    const thread = this.#loaded.get(id);
    if (thread === undefined) return "notLoaded";
    if (!thread.isSubscribed) return "notSubscribed";
    thread.isSubscribed = false;
    return "unsubscribed";
  }

  /** The thread as the protocol shows it. @param {string} id @param {boolean} withTurns */
  view(id, withTurns) {
    const loaded = this.#loaded.get(id);
    const record = loaded?.record ?? this.store.read(id);
    if (record === undefined) throw new RpcError(`thread not loaded: ${id}`);
    const { cwd, createdAt, ephemeral, originator, preview } = record;
    const idle = loaded === undefined ? "notLoaded" : "idle";
    return {
      id,
      sessionId: id,
      preview,
      ephemeral,
      modelProvider: "mock",
      model: "mock-model",
      createdAt,
      updatedAt: createdAt,
      status: loaded?.active === undefined ? { type: idle } : { type: "active", activeFlags: [] },
      cwd,
      cliVersion: codexVersion(this.surroundings.start.behaviour),
      originator,
      source: "vscode",
      name: null,
      turns: withTurns ? record.turns.map((turn) => viewTurn(turn, "full")) : [],
    };
  }

  /** Newest first. @param {string} id */
  turns(id) {
    const record = this.#loaded.get(id)?.record ?? this.store.read(id);
    if (record === undefined) throw new RpcError(`thread not loaded: ${id}`);
    if (record.turns.length === 0) {
      throw new RpcError(
        `thread ${id} is not materialized yet; thread/turns/list is unavailable before first user message`,
      );
    }
    return record.turns.map((turn) => viewTurn(turn, "summary")).toReversed();
  }

  /**
   * Starts a turn. When one runs, it is steered instead.
   *
   * @param {string} id @param {unknown} input @param {(result: object) => void} reply
   */
  async startTurn(id, input, reply) {
    const thread = this.#get(id);
    const prompt = promptOf(input);
    if (thread.active !== undefined) {
      reply({ turn: viewTurn({ ...thread.active.turn, startedAt: null, items: [] }, "notLoaded") });
      return await this.#steer(thread, thread.active.turn, prompt);
    }
    /** @type {Turn} */
    const turn = {
      id: randomUUID(),
      items: [],
      status: "inProgress",
      error: null,
      startedAt: null,
      completedAt: null,
    };
    const message = "Model metadata for `mock-model` not found.";
    await this.surroundings.notify("warning", { threadId: id, message });
    reply({ turn: viewTurn(turn, "notLoaded") });
    turn.startedAt = seconds();
    thread.record.turns.push(turn);
    thread.record.preview ||= prompt;
    await this.#status(id, { type: "active", activeFlags: [] });
    await this.surroundings.notify("turn/started", {
      threadId: id,
      turn: viewTurn({ ...turn, items: [] }, "notLoaded"),
    });
    await this.#play(thread, turn, prompt);
  }

  /** @param {string} id @param {string} expected @param {unknown} input @param {(result: object) => void} reply */
  async steerTurn(id, expected, input, reply) {
    const thread = this.#get(id);
    if (thread.active === undefined) throw new RpcError("no active turn to steer");
    const { turn } = thread.active;
    if (turn.id !== expected) {
      throw new RpcError(`expected active turn id \`${expected}\` but found \`${turn.id}\``);
    }
    reply({ turnId: turn.id });
    await this.#steer(thread, turn, promptOf(input));
  }

  /** @param {string} id @param {string} expected @param {(result: object) => void} reply */
  async interruptTurn(id, expected, reply) {
    const thread = this.#get(id);
    if (thread.active === undefined) throw new RpcError("no active turn to interrupt");
    const { turn, run } = thread.active;
    if (turn.id !== expected) {
      throw new RpcError(`expected active turn id ${expected} but found ${turn.id}`);
    }
    run.stop();
    reply({});
    await this.#finish(thread, turn, "interrupted");
    for (const requestId of run.openRequests) {
      await this.surroundings.notify("serverRequest/resolved", { threadId: id, requestId });
    }
  }

  /** @param {Loaded} thread @param {Turn} turn @param {string} prompt */
  async #steer(thread, turn, prompt) {
    thread.active?.run.stop();
    await this.#play(thread, turn, prompt);
  }

  /** @param {Loaded} thread @param {Turn} turn @param {string} prompt */
  async #play(thread, turn, prompt) {
    const run = new TurnRun(this.surroundings, thread.record, turn);
    thread.active = { turn, run };
    this.store.write(thread.record);
    const outcome = await run.play(prompt);
    if (outcome !== "stopped") await this.#finish(thread, turn, outcome);
  }

  /** @param {Loaded} thread @param {Turn} turn @param {Turn["status"]} status */
  async #finish(thread, turn, status) {
    const { notify } = this.surroundings;
    const threadId = thread.record.id;
    turn.status = status;
    turn.completedAt = seconds();
    thread.active = undefined;
    this.store.write(thread.record);
    if (status === "completed") {
      const tokens = { totalTokens: 15, inputTokens: 10, outputTokens: 5 };
      const tokenUsage = { total: tokens, last: tokens, modelContextWindow: 258_400 };
      await notify("thread/tokenUsage/updated", { threadId, turnId: turn.id, tokenUsage });
      await notify("account/rateLimits/updated", {
        rateLimits: { limitId: "codex", primary: null },
      });
    }
    if (status !== "interrupted") {
      const readState = { firstUnread: { type: "turn", turnId: turn.id }, revision: randomUUID() };
      await notify("thread/readState/changed", { threadId, readState });
    }
    if (status !== "failed") await this.#status(threadId, { type: "idle" });
    const answer = turn.items.filter(({ type }) => type === "agentMessage").slice(-1);
    const shown = viewTurn({ ...turn, items: answer }, answer.length > 0 ? "summary" : "notLoaded");
    await notify("turn/completed", { threadId, turn: shown });
  }

  /** @param {string} threadId @param {object} status */
  async #status(threadId, status) {
    await this.surroundings.notify("thread/status/changed", { threadId, status });
  }

  /** @param {string} id */
  #get(id) {
    const thread = this.#loaded.get(id);
    if (thread === undefined) throw new RpcError(`thread not found: ${id}`);
    return thread;
  }
}

/** @param {Turn} turn @param {"full" | "summary" | "notLoaded"} itemsView */
function viewTurn(turn, itemsView) {
  const { id, items, status, error, startedAt, completedAt } = turn;
  const durationMs =
    startedAt === null || completedAt === null ? null : (completedAt - startedAt) * 1_000;
  return {
    id,
    rootTurnId: id,
    items,
    itemsView,
    status,
    error,
    startedAt,
    completedAt,
    durationMs,
  };
}

/** @param {unknown} input */
function promptOf(input) {
  const parts = /** @type {{ text?: string }[]} */ (Array.isArray(input) ? input : []);
  const prompt = parts.map(({ text = "" }) => text).join("");
  if (prompt.length > INPUT_LIMIT) {
    throw new RpcError(`Input exceeds the maximum length of ${INPUT_LIMIT} characters.`, {
      code: -32602,
      data: {
        input_error_code: "input_too_large",
        max_chars: INPUT_LIMIT,
        actual_chars: prompt.length,
      },
    });
  }
  return prompt;
}

function seconds() {
  return Math.floor(Date.now() / 1_000);
}
