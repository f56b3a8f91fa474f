import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { ending } from "./plan.mjs";
import { commandApproval, likelyParams } from "./server-requests.mjs";
import { parseTurnScript } from "./turn-script.mjs";

/**
 * @typedef {import("./thread-store.mjs").Item} Item
 * @typedef {import("./thread-store.mjs").Thread} Thread
 * @typedef {import("./thread-store.mjs").Turn} Turn
 *
 * @typedef {object} Surroundings
 * @property {import("./plan.mjs").Start} start
 * @property {import("./output.mjs").Output} output
 * @property {import("./server-requests.mjs").ServerRequests} serverRequests
 * @property {(method: string, params: object, how?: "cut") => Promise<void>} notify
 */

/** Ends the turn as failed. */
class TurnFailure extends Error {
  /** @param {string} message @param {string} codexErrorInfo */
  constructor(message, codexErrorInfo) {
    super(message);
    this.name = "TurnFailure";
    this.codexErrorInfo = codexErrorInfo;
  }
}

/** Ends the turn as interrupted. */
class TurnCancelled extends Error {}

const QUOTA = "You’ve hit your usage limit. Try again later.";

/** Plays the script of one prompt within a turn, and can be stopped at any point. */
export class TurnRun {
  /** Ids of the server requests that were open when the run was stopped. @type {number[]} */
  openRequests = [];

  #stopped = new AbortController();

  /** @param {Surroundings} surroundings @param {Thread} thread @param {Turn} turn */
  constructor(surroundings, thread, turn) {
    this.surroundings = surroundings;
    this.thread = thread;
    this.turn = turn;
  }

  get #ids() {
    return { threadId: this.thread.id, turnId: this.turn.id };
  }

  stop() {
    this.#stopped.abort();
  }

  /**
   * Plays the prompt.
   *
   * @param {string} prompt
   * @returns {Promise<Turn["status"] | "stopped">} How the turn is to end; `stopped` when somebody else decides that.
   */
  async play(prompt) {
    const { notify, start } = this.surroundings;
    try {
      await this.#item({
        type: "userMessage",
        clientId: null,
        content: [{ type: "text", text: prompt, text_elements: [] }],
      });
      for (const step of parseTurnScript(start.behaviour.turns ?? prompt)) await this.#do(step);
      return "completed";
    } catch (cause) {
      if (this.#stopped.signal.aborted) return "stopped";
      if (cause instanceof TurnCancelled) return "interrupted";
      if (!(cause instanceof TurnFailure)) throw cause;
      const error = turnError(cause.message, cause.codexErrorInfo);
      this.turn.error = error;
      await notify("thread/status/changed", {
        threadId: this.thread.id,
        status: { type: "systemError" },
      });
      await notify("error", { error, willRetry: false, ...this.#ids });
      return "failed";
    }
  }

  /** @param {import("./turn-script.mjs").Step} step */
  async #do({ word, rest }) {
    const { start, output, notify } = this.surroundings;
    switch (word) {
      case "say":
        return await this.#message(rest.match(/\s*\S+/g) ?? [""]);
      case "slow":
        return await this.#message(this.#ticks(rest));
      case "cut":
        return await this.#message([rest], "cut");
      case "separators":
        return await this.#message(["one\u2028two\u2029three\u0085four"]);
      case "big":
        return await this.#message(["x".repeat(Number(rest) * 1024 * 1024)]);
      case "noise":
        return output.writeLine(rest);
      case "hold":
        while (!start.isReleased(rest)) await this.#pause(10);
        return undefined;
      case "fail":
        throw new TurnFailure(`stream disconnected before completion: ${rest}`, "other");
      case "quota":
        throw new TurnFailure(QUOTA, "usageLimitExceeded");
      case "error":
        await notify("error", { error: turnError(rest, "other"), willRetry: false, ...this.#ids });
        return await this.#silence();
      case "shell-ask":
        return await this.#shellAsk(rest);
      case "ask":
        return await this.#ask(rest);
      case "die":
        ending(start, /^\d+$/.test(rest) ? { code: Number(rest) } : { signal: signalName(rest) });
        return await this.#silence();
      default:
        return await this.#silence();
    }
  }

  /** @param {Iterable<string> | AsyncIterable<string>} pieces @param {"cut"} [how] */
  async #message(pieces, how) {
    const { notify } = this.surroundings;
    const empty = {
      type: "agentMessage",
      moderation: null,
      phase: null,
      memoryCitation: null,
      delivery: null,
      questions: null,
    };
    const item = await this.#begin({ ...empty, text: "" });
    for await (const delta of pieces) {
      this.#stopped.signal.throwIfAborted();
      item["text"] = `${String(item["text"])}${delta}`;
      await notify("item/agentMessage/delta", { ...this.#ids, itemId: item["id"], delta }, how);
    }
    await this.#end(item);
  }

  /** @param {string} spec */
  async *#ticks(spec) {
    const [, deltas, pauseMs, text] = /^(\d+)x(\d+)ms\s*(.*)$/s.exec(spec) ?? [];
    for (let tick = 1; tick <= Number(deltas); tick += 1) {
      await this.#pause(Number(pauseMs));
      yield `${text || "tick"} ${tick} `;
    }
  }

  /** @param {string} command */
  async #shellAsk(command) {
    const { notify } = this.surroundings;
    const { id: threadId, cwd } = this.thread;
    const active = (/** @type {string[]} */ activeFlags) =>
      notify("thread/status/changed", { threadId, status: { type: "active", activeFlags } });

    await active(["waitingOnApproval"]);
    const item = await this.#begin({
      type: "commandExecution",
      command: `/bin/bash -lc '${command}'`,
      cwd,
      processId: null,
      source: "agent",
      status: "inProgress",
      commandActions: [{ type: "unknown", command }],
      aggregatedOutput: null,
      exitCode: null,
      durationMs: null,
    });
    const place = { ...this.#ids, itemId: String(item["id"]), cwd };
    const { result } = await this.#answerTo(
      "item/commandExecution/requestApproval",
      commandApproval(place, command),
    );
    const decision = /** @type {{ decision?: unknown } | undefined} */ (result)?.decision;
    const accepted = decision === "accept" || decision === "acceptForSession";
    await active([]);
    const said = accepted ? command.replace(/^echo /, "") : "rejected by user";
    Object.assign(item, accepted ? { status: "completed", exitCode: 0 } : { status: "declined" });
    await this.#end(item);
    if (decision === "cancel") throw new TurnCancelled();
    await this.#message([`The tool said: ${said}`]);
  }

  /** @param {string} spec */
  async #ask(spec) {
    const [, method = "", params] = /^(\S+)\s*(.*)$/s.exec(spec) ?? [];
    const place = { ...this.#ids, itemId: randomUUID(), cwd: this.thread.cwd };
    /** @type {Record<string, unknown>} */
    const body = params ? JSON.parse(params) : likelyParams(method, place);
    const answer = await this.#answerTo(method, body);
    await this.#message([`answered: ${JSON.stringify(answer)}`]);
  }

  /** @param {string} method @param {Record<string, unknown>} params */
  async #answerTo(method, params) {
    const { serverRequests, notify } = this.surroundings;
    const { id, answered } = serverRequests.ask(method, params, this.#stopped.signal);
    this.openRequests.push(id);
    const answer = await this.#unlessStopped(answered);
    this.openRequests = this.openRequests.filter((open) => open !== id);
    await notify("serverRequest/resolved", { threadId: this.thread.id, requestId: id });
    return answer;
  }

  /** @param {Item} content */
  async #item(content) {
    await this.#end(await this.#begin(content));
  }

  /** @param {Item} content @returns {Promise<Item>} */
  async #begin(content) {
    const startedAtMs = Date.now();
    const { type, ...rest } = content;
    const item = { type, id: randomUUID(), ...rest, startedAtMs, completedAtMs: null };
    await this.surroundings.notify("item/started", { item, ...this.#ids, startedAtMs });
    return item;
  }

  /** @param {Item} item */
  async #end(item) {
    const completedAtMs = Date.now();
    item["completedAtMs"] = completedAtMs;
    this.turn.items.push(item);
    const more = { contentTokenCount: null, completedAtMs };
    await this.surroundings.notify("item/completed", { item, ...this.#ids, ...more });
  }

  /** @param {number} ms */
  async #pause(ms) {
    await sleep(ms, undefined, { signal: this.#stopped.signal });
  }

  /** @returns {Promise<never>} */
  async #silence() {
    return await this.#unlessStopped(new Promise(() => undefined));
  }

  /** @template T @param {Promise<T>} promise @returns {Promise<T>} */
  async #unlessStopped(promise) {
    const { signal } = this.#stopped;
    return await new Promise((resolve, reject) => {
      signal.throwIfAborted();
      signal.addEventListener("abort", () => reject(new Error("stopped")), { once: true });
      promise.then(resolve, reject);
    });
  }
}

/** @param {string} message @param {string} codexErrorInfo */
function turnError(message, codexErrorInfo) {
  return { message, codexErrorInfo, additionalDetails: null, misalignment: null };
}

/** @param {string} name */
function signalName(name) {
  return /** @type {NodeJS.Signals} */ (name);
}
