import { spawn } from "node:child_process";
import { release, type } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { openMethods } from "./methods.mjs";
import { openOutput } from "./output.mjs";
import { codexVersion, ending } from "./plan.mjs";
import { RpcError } from "./rpc-error.mjs";
import { openServerRequests } from "./server-requests.mjs";
import { openThreadStore } from "./thread-store.mjs";
import { Threads } from "./threads.mjs";

/**
 * @typedef {import("./plan.mjs").Start} Start
 * @typedef {Record<string, unknown>} Message
 *
 * @typedef {object} Client Who has initialized.
 * @property {string} name
 * @property {boolean} isExperimental
 * @property {readonly string[]} optedOut
 */

/** The fake goes away even when a test that made it ignore everything was itself killed. */
const LIFETIME_MS = 10 * 60_000;

/** Serves standard input until it ends. @param {Start} start */
export function serve(start) {
  const { behaviour } = start;
  const codexHome = process.env["CODEX_HOME"] ?? process.cwd();
  const answersLeft = new Map(
    Object.entries(behaviour.answers ?? {}).map(([method, { times }]) => [
      method,
      times ?? Infinity,
    ]),
  );
  let requests = 0;
  /** @type {Client | undefined} */
  let client;

  const output = openOutput({
    before: behaviour.noiseBeforeAnswers,
    isMute: () => requests > (behaviour.muteAfter ?? Infinity),
  });
  const serverRequests = openServerRequests(output);
  /** @param {string} method @param {object} params @param {"cut"} [how] */
  const notify = async (method, params, how) => {
    if (client?.optedOut.includes(method) === true) return;
    const message = { method, params, emittedAtMs: Date.now() };
    if (how === "cut") await output.sendCut(message);
    else output.send(message);
  };
  const surroundings = { start, output, serverRequests, notify };
  const threads = new Threads(surroundings, openThreadStore(codexHome));
  const methods = openMethods({
    start,
    threads,
    serverRequests,
    notify,
    originator: () => client?.name ?? "unknown",
  });

  /** @param {string} id @param {Message} params */
  const initialize = async (id, params) => {
    if (client !== undefined) throw new RpcError("Already initialized");
    const info = /** @type {{ name: string, version: string }} */ (params["clientInfo"]);
    const wishes =
      /** @type {{ experimentalApi?: boolean, optOutNotificationMethods?: string[] } | undefined} */ (
        params["capabilities"]
      );
    client = {
      name: info.name,
      isExperimental: wishes?.experimentalApi === true,
      optedOut: wishes?.optOutNotificationMethods ?? [],
    };
    const system = `${type()} ${release()}; ${process.arch}`;
    const agent = `${info.name}/${codexVersion(behaviour)} (${system}) fake (${info.name}; ${info.version})`;
    const platform = { platformFamily: "unix", platformOs: process.platform };
    output.answer(id, { result: { userAgent: agent, codexHome, ...platform } });
    await notify("remoteControl/status/changed", { status: "disabled", environmentId: null });
  };

  /** @param {string} id @param {Message} message */
  const answer = async (id, message) => {
    const name = String(message["method"]);
    const method = methods.get(name);
    if (name !== "initialize" && method === undefined) {
      const known = ["initialize", ...methods.keys()].map((one) => `\`${one}\``).join(", ");
      throw new RpcError(`Invalid request: unknown variant \`${name}\`, expected one of ${known}`);
    }
    const params = /** @type {Message | null | undefined} */ (message["params"]) ?? null;
    if (params === null) throw new RpcError("Invalid request: missing field `params`");
    for (const field of method?.needs ?? []) {
      if (!(field in params)) throw new RpcError(`Invalid request: missing field \`${field}\``);
    }
    if (method === undefined) return await initialize(id, params);
    if (client === undefined) throw new RpcError("Not initialized");
    if (method.isExperimental === true && !client.isExperimental) {
      throw new RpcError(`${name} requires experimentalApi capability`);
    }
    if (method.isNewWork === true && behaviour.draining === true) {
      const data = { reason: "serverShuttingDown" };
      throw new RpcError("Server is draining; retry after reconnecting", { data });
    }
    await method.run(params, (result) => output.answer(id, { result }));
  };

  /** @param {string} id @param {Message} message */
  const serveRequest = async (id, message) => {
    const name = String(message["method"]);
    requests += 1;
    const { die } = behaviour;
    if (die?.on === name) {
      if (die.afterMs === undefined) return ending(start, die);
      setTimeout(() => ending(start, die), die.afterMs);
    }
    if (behaviour.mute?.includes(name) === true) return;
    const delay = behaviour.delayMs?.[name];
    if (delay !== undefined) await sleep(delay);

    const canned = behaviour.answers?.[name];
    const left = answersLeft.get(name) ?? 0;
    if (canned !== undefined && left > 0) {
      answersLeft.set(name, left - 1);
      const { error, result = {} } = canned;
      return output.answer(id, error === undefined ? { result } : { error });
    }
    try {
      await answer(id, message);
    } catch (cause) {
      if (!(cause instanceof RpcError)) throw cause;
      output.answer(id, { error: cause.body });
    }
  };

  /** @param {string} line */
  const accept = (line) => {
    /** @type {unknown} */
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      // Said below, as for everything else that is no message.
    }
    if (typeof message !== "object" || message === null || Array.isArray(message)) {
      process.stderr.write(`ERROR codex_app_server: no message: ${line.slice(0, 200)}\n`);
      return;
    }
    const known = /** @type {Message} */ (message);
    start.note({ got: known });
    const id = idText(known["id"], line);
    if (!("method" in known)) serverRequests.settle(known);
    else if (id !== undefined) void serveRequest(id, known);
  };

  setTimeout(() => ending(start, { code: 99 }), LIFETIME_MS);
  for (const line of behaviour.noise ?? []) output.writeLine(line);
  if (behaviour.descendant !== undefined) leaveDescendant(start, behaviour.descendant);
  process.on("SIGTERM", () => {
    if (behaviour.ignores?.includes("SIGTERM") !== true) ending(start, { code: 0 });
  });
  readLines(accept, (reason) => {
    if (reason !== undefined) process.stderr.write(`${reason}\n`);
    if (behaviour.ignores?.includes("EOF") !== true) ending(start, { code: 0 });
  });
}

/**
 * Feeds whole lines to `accept`, and says when there will be no more.
 *
 * @param {(line: string) => void} accept @param {(reason?: string) => void} ended
 */
function readLines(accept, ended) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  /** @type {Buffer[]} */
  let pending = [];
  process.stdin.on("data", (/** @type {Buffer} */ bytes) => {
    let from = 0;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const line = Buffer.concat([...pending, bytes.subarray(from, at)]);
      pending = [];
      from = at + 1;
      try {
        accept(decoder.decode(line));
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        process.stdin.destroy();
        return ended("Failed reading stdin: stream did not contain valid UTF-8");
      }
    }
    pending.push(bytes.subarray(from));
  });
  process.stdin.once("end", () => ended());
}

/**
 * The id as JSON text, or `undefined` when it is none that Codex takes: it wants a string or a whole number.
 *
 * @param {unknown} id @param {string} line
 */
function idText(id, line) {
  if (typeof id === "string") return JSON.stringify(id);
  if (typeof id !== "number" || !Number.isInteger(id)) return undefined;
  // Beyond that, the number that was parsed is not the one that was written.
  return Number.isSafeInteger(id) ? String(id) : /"id"\s*:\s*(-?\d+)/.exec(line)?.[1];
}

/** @param {Start} start @param {"same-group" | "own-group"} group */
function leaveDescendant(start, group) {
  const child = spawn(process.execPath, ["-e", `setTimeout(() => {}, ${LIFETIME_MS})`], {
    stdio: ["ignore", "inherit", "ignore"],
    detached: group === "own-group",
  });
  child.unref();
  start.note({ descendant: child.pid });
}
