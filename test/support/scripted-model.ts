/**
 * A Responses endpoint on loopback that does what the prompt says, so that a test, a benchmark or a demonstration can
 * have a real Codex do a known thing without a login and without a network.
 *
 * The last user message is a script: steps parted by ` ;; `, done in order.
 *
 * | step                                | what the model does                                                       |
 * |-------------------------------------|---------------------------------------------------------------------------|
 * | `say: hello world`                  | a message, one delta a word                                               |
 * | `slow: 20x50ms tick`                | a message of 20 deltas `tick 1 `, `tick 2 `…, 50 ms before each           |
 * | `type: 50ms hello world`            | a message, one delta a word, 50 ms before each                            |
 * | `stream: 500 deltas at 100/s of 64 bytes` | a message of that many deltas at that rate, of that size each       |
 * | `json: {"ok":true}`                 | a message that is exactly this text, in one delta                         |
 * | `think: it is a trick`              | a reasoning item with this summary                                        |
 * | `ponder: 50ms it is a trick`        | the same word by word, 50 ms before each                                  |
 * | `shell: echo hi`                    | calls the shell tool that Codex offers                                    |
 * | `shell-ask: echo hi`                | the same outside the sandbox, which makes Codex ask for approval          |
 * | `tool: get_goal {}`                 | calls any other tool offered, with these arguments                        |
 * | `hold: gate`                        | waits until the owner of this endpoint calls `release("gate")`            |
 * | `fail: no more`                     | ends the response with `response.failed`                                  |
 * | `quota`                             | refuses as the hosted service does when the plan's usage is used up       |
 * | `http: 500`                         | refuses with that status                                                  |
 * | `drop`                              | cuts the connection in the middle of the stream                           |
 * | `silence`                           | begins to answer and then says nothing until the other side goes away     |
 * | anything else                       | a message with a short echo of it                                         |
 *
 * A call ends the response, and what follows it is done in the next request, the one that brings the tool's output; so
 * `shell: a ;; shell: b ;; say: done` is one turn of three requests. A turn that would end with a call ends with a
 * message that quotes the outputs, one that would end with a thought ends with a short message. `quota` and `http`
 * replace the response and hence are possible only as the first step of a request.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

import type { Json, JsonObject } from "./json.ts";
import { type PacedStep, type Step, parseScript, stepsOfRequest } from "./model-script.ts";
import { ResponseStream } from "./response-stream.ts";
import { callOf, outputsOf, promptOf } from "./responses-request.ts";

/** One request for a response. */
export interface ModelRequest {
  /** The text of the last user message. */
  readonly prompt: string;
  /** How many tool outputs the request brings for that message: 0 for the first request of a turn. */
  readonly round: number;
  /** The whole body. */
  readonly body: Json;
}

/** What the endpoint was asked so far. */
export interface ModelTraffic {
  /** Requests for a response since the start. */
  readonly total: number;
  /** Responses that have begun and not ended. */
  readonly inFlight: number;
  /** The largest `inFlight` ever. */
  readonly maxInFlight: number;
  /** The latest requests, oldest first; no more than 256 are kept. */
  readonly recent: readonly ModelRequest[];
}

/** A running endpoint. */
export interface ScriptedModel extends AsyncDisposable {
  /** What goes into `base_url`: the address with its `/v1`. */
  readonly url: string;
  readonly requests: ModelTraffic;
  /** Lets pass what waits at this gate, now and later. */
  release(gate: string): void;
  /** A prompt that matches and that no test can choose (Codex's own, or one of ours) is answered by this script. */
  answer(prompt: RegExp, script: string): void;
  /** Ends every open response at once and stops listening; a second call does nothing. */
  close(): Promise<void>;
}

/** A request has the whole history in it, so a benchmark must not keep all of them. */
const KEPT_REQUESTS = 256;

/** Starts an endpoint on a free port of 127.0.0.1. */
export async function startScriptedModel(): Promise<ScriptedModel> {
  const model = new Model();
  await model.listen();
  return model;
}

/** The refusal that stands for a used-up plan, as the hosted service words it. */
function usageLimitReached(): JsonObject {
  const resetsInSeconds = 3_600;
  return {
    type: "usage_limit_reached",
    message: "The usage limit has been reached",
    plan_type: "plus",
    resets_at: Math.floor(Date.now() / 1_000) + resetsInSeconds,
    resets_in_seconds: resetsInSeconds,
  };
}

class Model implements ScriptedModel {
  readonly requests = { total: 0, inFlight: 0, maxInFlight: 0, recent: new Array<ModelRequest>() };
  readonly #server: Server = createServer((request, response) => {
    this.#serve(request, response).catch((cause: unknown) => {
      // Not to answer would look like a hung model.
      if (!response.headersSent) response.writeHead(400);
      response.end(String(cause));
    });
  });
  readonly #gates = new Map<string, PromiseWithRelease>();
  readonly #answers: Array<{ readonly prompt: RegExp; readonly script: string }> = [];
  readonly #closing = new AbortController();

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
  }

  release(gate: string): void {
    this.#gate(gate).release();
  }

  answer(prompt: RegExp, script: string): void {
    this.#answers.unshift({ prompt, script });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://loopback").pathname;
    const body = await readText(request);
    if (request.method === "POST" && path === "/v1/responses") {
      await this.#respond(JSON.parse(body) as Json, response);
    } else if (request.method === "GET" && path === "/v1/models") {
      // `data` is what the public service calls it, `models` is what Codex reads.
      sendJson(response, 200, {
        object: "list",
        data: [{ id: "mock-model", object: "model" }],
        models: [],
      });
    } else {
      sendJson(response, 404, { error: { message: `there is nothing at ${path}` } });
    }
  }

  async #respond(body: Json, response: ServerResponse): Promise<void> {
    const prompt = promptOf(body);
    const outputs = outputsOf(body);
    this.#note({ prompt, round: outputs.length, body });
    const gone = new AbortController();
    response.once("close", () => {
      this.requests.inFlight -= 1;
      gone.abort();
    });
    try {
      await this.#play(
        prompt,
        outputs,
        body,
        response,
        AbortSignal.any([gone.signal, this.#closing.signal]),
      );
    } catch (cause) {
      if (!gone.signal.aborted && !this.#closing.signal.aborted) throw cause;
    }
  }

  #note(request: ModelRequest): void {
    const { requests } = this;
    requests.total += 1;
    requests.inFlight += 1;
    requests.maxInFlight = Math.max(requests.maxInFlight, requests.inFlight);
    requests.recent.push(request);
    if (requests.recent.length > KEPT_REQUESTS) requests.recent.shift();
  }

  async #play(
    prompt: string,
    outputs: readonly string[],
    body: Json,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const script = this.#answers.find((one) => one.prompt.test(prompt))?.script ?? prompt;
    const steps = stepsOfRequest(parseScript(script), outputs.length);
    const [first] = steps;
    if (first?.kind === "http") {
      return sendJson(response, first.status, { error: { message: `scripted ${first.status}` } });
    }
    if (first?.kind === "quota") {
      return sendJson(response, 429, { error: usageLimitReached() });
    }

    const stream = new ResponseStream(response, `resp_${this.requests.total}`);
    for (const step of steps) {
      const goesOn = await this.#do(step, stream, body, signal);
      if (!goesOn) return;
    }
    if (first === undefined) await stream.message(words(`The tool said: ${outputs.join("\n")}`));
    const last = steps.at(-1)?.kind;
    if (last === "think" || last === "ponder") {
      await stream.message(words("I have thought about it."));
    }
    await stream.completed();
  }

  /** Does one step and says whether the response goes on after it. */
  async #do(step: Step, stream: ResponseStream, body: Json, signal: AbortSignal): Promise<boolean> {
    switch (step.kind) {
      case "say":
        await stream.message(words(step.text));
        return true;
      case "slow":
        await stream.message(ticks(step, signal));
        return true;
      case "type":
        await stream.message(atPace(step, signal));
        return true;
      case "ponder":
        await stream.reasoning(atPace(step, signal));
        return true;
      case "stream":
        await stream.message(atRate(step, signal));
        return true;
      case "json":
        await stream.message([step.text]);
        return true;
      case "think":
        await stream.reasoning([step.text]);
        return true;
      case "hold":
        await orAborted(this.#gate(step.gate).released, signal);
        return true;
      case "shell":
      case "tool": {
        const call = callOf(step, body);
        await (call === undefined
          ? stream.failed("no_such_tool", "none is offered")
          : stream.call(call));
        return call !== undefined;
      }
      case "fail":
        await stream.failed("scripted_failure", step.message);
        return false;
      case "quota":
      case "http":
        await stream.failed("scripted_failure", `${step.kind} must be the first step of a request`);
        return false;
      case "drop":
        await stream.cut();
        return false;
      case "silence":
        await orAborted(new Promise(() => undefined), signal);
        return false;
    }
  }

  #gate(name: string): PromiseWithRelease {
    const known = this.#gates.get(name);
    if (known !== undefined) return known;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const gate = { released, release };
    this.#gates.set(name, gate);
    return gate;
  }
}

interface PromiseWithRelease {
  readonly released: Promise<void>;
  release(): void;
}

function sendJson(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function words(text: string): readonly string[] {
  return text.match(/\s*\S+\s*?(?=\s|$)|\s+$/g) ?? [text];
}

async function* ticks(step: Step & { kind: "slow" }, signal: AbortSignal): AsyncGenerator<string> {
  for (let tick = 1; tick <= step.deltas; tick += 1) {
    await sleep(step.pauseMs, undefined, { signal });
    yield `${step.text} ${tick} `;
  }
}

async function* atPace(step: PacedStep, signal: AbortSignal): AsyncGenerator<string> {
  for (const word of words(step.text)) {
    await sleep(step.pauseMs, undefined, { signal });
    yield word;
  }
}

async function* atRate(
  step: Step & { kind: "stream" },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const piece = "x".repeat(step.bytes);
  const start = performance.now();
  for (let sent = 0; sent < step.deltas; sent += 1) {
    // Paced by the clock of the whole stream, since single pauses of a few milliseconds would add up to a lower rate.
    const aheadMs = (sent / step.perSecond) * 1_000 - (performance.now() - start);
    if (aheadMs > 1) await sleep(aheadMs, undefined, { signal });
    else signal.throwIfAborted();
    yield piece;
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}
