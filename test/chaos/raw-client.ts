import { errnoOf } from "../../src/base/errors.ts";
import { Deadline, pause } from "../../src/base/deadline.ts";
import { deferred } from "../../src/base/deferred.ts";
import { isRecord } from "../../src/wire/messages.ts";
import type { Message } from "../broker/raw-session.ts";
import { judged, type ClientOfSomeKind, type Order, type Result } from "./orders.ts";
import { ConnectionEnded, RawConnection } from "./raw-connection.ts";

/** A path that leads nowhere may lead somewhere a moment later: brokers come when ours ask for one. */
const CONNECTED_WITHIN_MS = 15_000;
const TRY_AGAIN_MS = 20;

class Unreachable extends Error {}

/**
 * A plain app-server client that knows only the fixed path. It takes that path again when it is told
 * that its broker drains, or when its connection ends.
 */
export class RawClient implements ClientOfSomeKind {
  readonly #path: string;
  #connection: Promise<RawConnection> | undefined;
  #refused: string[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  async carryOut(order: Order): Promise<Result> {
    const result = await this.#carryOut(order);
    return { id: order.id, refused: this.#takeRefused(), ...result };
  }

  async #carryOut(order: Order): Promise<Omit<Result, "id">> {
    for (;;) {
      let connection: RawConnection | undefined;
      try {
        // Who leaves takes nobody's connection along.
        const leaves = order.leaveAfterMs !== undefined;
        connection = await (leaves ? this.#open() : this.#connected());
        connection.users += 1;
        const result =
          order.do === "turn"
            ? await this.#turn(connection, order)
            : outcomeOf(await connection.request("thread/loaded/list", {}));
        if (connection.doubled > 0) return { outcome: "doubled", detail: "an answer came twice" };
        // Refused before anything came of it: it is asked again elsewhere.
        if (result.outcome !== "draining") return result;
        if (!connection.isDraining) await connection.closed;
      } catch (error) {
        if (error instanceof Unreachable) return { outcome: "unreachable", detail: error.message };
        if (error instanceof ConnectionEnded) {
          const detail = connection?.isDraining === true ? "after it was told to go on" : undefined;
          return { outcome: "closed", ...(detail === undefined ? {} : { detail }) };
        }
        return { outcome: "unexpected", detail: String(error) };
      } finally {
        if (connection !== undefined) this.#leaveIfDone(connection);
      }
    }
  }

  #leaveIfDone(connection: RawConnection): void {
    connection.users -= 1;
    if (connection.isDraining && connection.users === 0) connection.destroy();
  }

  #takeRefused(): readonly string[] {
    return this.#refused.splice(0);
  }

  #connected(): Promise<RawConnection> {
    this.#connection ??= this.#connect();
    return this.#connection;
  }

  async #connect(): Promise<RawConnection> {
    try {
      const connection = await this.#open();
      const forget = (): void => {
        this.#connection = undefined;
        // Whoever has just been given it has not begun yet.
        setImmediate(() => connection.users === 0 && connection.destroy());
      };
      void connection.closed.then(() => {
        if (!connection.isDraining) forget();
      });
      void connection.draining.then(forget);
      return connection;
    } catch (error) {
      this.#connection = undefined;
      throw error;
    }
  }

  async #open(): Promise<RawConnection> {
    const deadline = Deadline.after(CONNECTED_WITHIN_MS);
    for (;;) {
      try {
        return await RawConnection.open(this.#path);
      } catch (error) {
        const why = errnoOf(error) ?? String(error);
        this.#refused.push(why);
        if (deadline.expired) throw new Unreachable(why);
        await pause(TRY_AGAIN_MS);
      }
    }
  }

  async #turn(connection: RawConnection, order: Order): Promise<Omit<Result, "id">> {
    const { threadId, prompt = "", interruptAfterMs, leaveAfterMs } = order;
    const opened =
      threadId === undefined
        ? await connection.request("thread/start", {})
        : await connection.request("thread/resume", { threadId, excludeTurns: true });
    if (opened.error !== undefined) return outcomeOf(opened);
    const thread = idIn(opened.result?.["thread"]);
    const course = new Course(connection, thread);
    try {
      const started = await connection.request("turn/start", {
        threadId: thread,
        input: [{ type: "text", text: prompt, text_elements: [] }],
      });
      if (started.error !== undefined) return outcomeOf(started);
      const turnId = idIn(started.result?.["turn"]);
      if (interruptAfterMs !== undefined) {
        await pause(interruptAfterMs);
        await connection.request("turn/interrupt", { threadId: thread, turnId });
      }
      if (leaveAfterMs !== undefined) {
        await pause(leaveAfterMs);
        connection.destroy();
        return { outcome: "left" };
      }
      const lost = connection.closed.then(() => {
        throw new ConnectionEnded("it ended in the turn");
      });
      const status = await Promise.race([course.ended, lost]);
      if (status !== "completed") return { outcome: status };
      return { ...judged(order, course.said, course.heard), threadId: thread };
    } finally {
      course.close();
      if (!connection.isDraining) {
        connection.request("thread/unsubscribe", { threadId: thread }).catch(() => {});
      }
    }
  }
}

/** What is heard of one turn. */
class Course {
  readonly ended: Promise<string>;
  said = "";
  heard = "";
  #itemId: unknown;
  readonly close: () => void;

  constructor(connection: RawConnection, threadId: string) {
    const ended = deferred<string>();
    this.ended = ended.promise;
    this.close = connection.listen(({ id, method, params }) => {
      if (params?.["threadId"] !== threadId) return;
      if (id !== undefined && id !== null) connection.answer(id, { decision: "accept" });
      if (method === "item/agentMessage/delta") this.#delta(params);
      if (method === "item/completed") this.#item(params["item"]);
      if (method === "turn/completed") {
        ended.resolve((params["turn"] as { status: string }).status);
      }
      if (method === "broker/turnLost") ended.resolve("turnLost");
    });
  }

  /** The last message of a turn is the one that counts. */
  #delta({ itemId, delta }: Record<string, unknown>): void {
    this.heard = itemId === this.#itemId ? this.heard + String(delta) : String(delta);
    this.#itemId = itemId;
  }

  #item(item: unknown): void {
    const { type, text } = item as { type: string; text?: string };
    if (type === "agentMessage") this.said = text ?? "";
  }
}

function idIn(value: unknown): string {
  return isRecord(value) ? String(value["id"]) : "";
}

function outcomeOf({ error }: Message): Omit<Result, "id"> {
  if (error === undefined) return { outcome: "completed" };
  const kind = error.data?.["kind"];
  return {
    outcome: typeof kind === "string" ? kind : "refused",
    detail: error.message,
  };
}
