import { once } from "node:events";
import type { ServerResponse } from "node:http";

import type { JsonObject } from "./json.ts";
import type { FunctionCall } from "./responses-request.ts";

/** Writes one answer of the Responses API as server-sent events. */
export class ResponseStream {
  readonly #response: ServerResponse;
  readonly #id: string;
  #items = 0;

  /** Sends the headers and `response.created`. */
  constructor(response: ServerResponse, id: string) {
    this.#response = response;
    this.#id = id;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    void this.#send("response.created", { response: { id } });
  }

  /** A message of the assistant, one delta for each piece of text. */
  async message(pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
    const index = this.#items++;
    const id = `msg_${this.#id}_${index}`;
    const item = { type: "message", role: "assistant", id };
    await this.#send("response.output_item.added", {
      output_index: index,
      item: { ...item, content: [] },
    });
    let text = "";
    for await (const delta of pieces) {
      text += delta;
      await this.#send("response.output_text.delta", {
        item_id: id,
        output_index: index,
        content_index: 0,
        delta,
      });
    }
    const content = [{ type: "output_text", text, annotations: [] }];
    await this.#send("response.output_item.done", {
      output_index: index,
      item: { ...item, content },
    });
  }

  /** A summary of what the model thought, one delta for each piece of text. */
  async reasoning(pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
    const index = this.#items++;
    const id = `rs_${this.#id}_${index}`;
    const item = { type: "reasoning", id };
    const part = { item_id: id, output_index: index, summary_index: 0 };
    await this.#send("response.output_item.added", {
      output_index: index,
      item: { ...item, summary: [] },
    });
    await this.#send("response.reasoning_summary_part.added", {
      ...part,
      part: { type: "summary_text", text: "" },
    });
    let text = "";
    for await (const delta of pieces) {
      text += delta;
      await this.#send("response.reasoning_summary_text.delta", { ...part, delta });
    }
    const summary = [{ type: "summary_text", text }];
    await this.#send("response.output_item.done", {
      output_index: index,
      item: { ...item, summary },
    });
  }

  /** A call of one of the tools that the request offered. */
  async call(call: FunctionCall): Promise<void> {
    const index = this.#items++;
    const item = {
      type: "function_call",
      id: `fc_${this.#id}_${index}`,
      call_id: `call_${this.#id}_${index}`,
      ...call,
    };
    await this.#send("response.output_item.added", {
      output_index: index,
      item: { ...item, arguments: "" },
    });
    await this.#send("response.output_item.done", { output_index: index, item });
  }

  /** The good end. */
  async completed(): Promise<void> {
    const usage = {
      input_tokens: 10,
      input_tokens_details: null,
      output_tokens: 5,
      output_tokens_details: null,
      total_tokens: 15,
    };
    await this.#send("response.completed", { response: { id: this.#id, usage } });
    this.#response.end();
  }

  /** The bad end, with the model's own words. */
  async failed(code: string, message: string): Promise<void> {
    await this.#send("response.failed", {
      response: { id: this.#id, status: "failed", error: { code, message } },
    });
    this.#response.end();
  }

  /** Cuts the connection in the middle of the answer, when what was written so far has left. */
  async cut(): Promise<void> {
    await new Promise((resolve) => this.#response.write(": cut\n\n", resolve));
    this.#response.destroy();
  }

  async #send(type: string, fields: JsonObject): Promise<void> {
    const written = this.#response.write(
      `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`,
    );
    // A reader that has gone away never drains; the connection's end is then what ends the wait.
    if (!written) {
      await Promise.race([once(this.#response, "drain"), once(this.#response, "close")]);
    }
  }
}
