import { isRecord } from "../../src/wire/messages.ts";
import type { Ledger } from "./ledger.ts";

type Params = Readonly<Record<string, unknown>>;

interface TurnRecord {
  ended: string | undefined;
  /** Items by id, and whether each has completed. */
  readonly items: Map<unknown, boolean>;
  /** What the deltas of the latest message say together. */
  deltas: string;
  message: string;
  latest: unknown;
  /** Its beginning was not received, or before this subscription. */
  readonly isPartial: boolean;
}

/** What one session receives of one thread, from the answer that opened it on. */
export class Subscription {
  readonly threadId: string;
  /** When the request that opens it was answered. */
  openedAt = Infinity;
  /** Requests that open it and are not answered yet. */
  opening = 0;
  readonly #who: string;
  readonly #ledger: Ledger;
  readonly #turns = new Map<string, TurnRecord>();
  /** Turns whose end this session must receive. */
  readonly #owed = new Set<string>();
  /** Turns that this session has asked for itself. */
  readonly #own = new Set<string>();

  readonly #isPartial: boolean;

  /** @param isPartial A turn of the same session may have subscribed to the thread before. */
  constructor(threadId: string, who: string, ledger: Ledger, isPartial: boolean) {
    this.threadId = threadId;
    this.#isPartial = isPartial;
    this.#who = who;
    this.#ledger = ledger;
  }

  owes(turnId: string, own = false): void {
    this.#owed.add(turnId);
    if (own) this.#own.add(turnId);
  }

  /** The turns whose end has not come yet. */
  missing(): string[] {
    const hasOutage = this.#ledger.outages > 0;
    return [...this.#owed].filter((turnId) => {
      const record = this.#turns.get(turnId);
      // With a broker, what it had not delivered yet of a turn is gone.
      const isUnknown = record === undefined && !this.#own.has(turnId) && hasOutage;
      return record?.ended === undefined && !isUnknown;
    });
  }

  receive(method: string, params: Params): void {
    const turnId = turnIdIn(params);
    if (turnId === undefined) return this.#ofThread(method, params);
    if (method === "turn/started") return this.#started(turnId);
    if (method === "turn/completed" || method === "broker/turnLost") {
      return this.#ended(turnId, method, params);
    }
    if (method.startsWith("item/")) this.#item(turnId, method, params);
  }

  /** Compares what was said with what the scripts say, when everything has ended. */
  judge(): void {
    for (const [turnId, record] of this.#turns) {
      const { expected, altered } = this.#ledger.turn(this.threadId, turnId);
      if (record.isPartial || record.ended === undefined) continue;
      if (expected === undefined || altered || this.#ledger.outages > 0) continue;
      if (record.ended !== "completed") {
        if (this.#own.has(turnId)) this.#violation(turnId, `ended as ${record.ended}`);
        continue;
      }
      for (const [what, text] of Object.entries({
        message: record.message,
        deltas: record.deltas,
      })) {
        if (text.trim() === expected) continue;
        this.#violation(turnId, `its ${what} say ${JSON.stringify(text)}, not ${expected}`);
      }
    }
  }

  #ofThread(method: string, params: Params): void {
    const status = isRecord(params["status"]) ? params["status"]["type"] : undefined;
    const isClosed = method === "thread/closed" || status === "notLoaded";
    // Before the response it may receive the end of the thread's last time in memory.
    const isOpen = this.openedAt < Infinity;
    if (!isClosed || !isOpen || this.#ledger.outages + this.#ledger.rotations > 0) return;
    this.#ledger.violation(
      `${this.#who} receives ${method} ${typeof status === "string" ? status : ""} of ${this.threadId}, to which it is subscribed`,
    );
  }

  #started(turnId: string): void {
    if (this.#turns.has(turnId)) return this.#violation(turnId, "begins twice");
    const running = [...this.#turns].find(([, one]) => one.ended === undefined && !one.isPartial);
    // After an outage a proxy reads from the history how the turn before has ended, and sends that then.
    const isInOrder = running === undefined || this.#ledger.outages > 0;
    if (!isInOrder) this.#violation(turnId, `begins before ${running[0]} has ended`);
    this.#begin(turnId, false);
    this.owes(turnId);
  }

  #ended(turnId: string, method: string, params: Params): void {
    const record = this.#record(turnId, method);
    const turn = params["turn"];
    const status = method === "broker/turnLost" ? "lost" : String(isRecord(turn) && turn["status"]);
    if (record.ended !== undefined) return this.#violation(turnId, "ends twice");
    record.ended = status;
    if (status === "lost" && this.#ledger.outages === 0) this.#violation(turnId, "is lost");
  }

  #item(turnId: string, method: string, params: Params): void {
    const record = this.#record(turnId, method);
    if (record.ended !== undefined) return this.#violation(turnId, `${method} after its end`);
    const item = isRecord(params["item"]) ? params["item"] : {};
    const itemId = params["itemId"] ?? item["id"];
    const completed = record.items.get(itemId);
    if (method === "item/started") {
      if (completed !== undefined) this.#violation(turnId, `item ${String(itemId)} begins twice`);
      record.items.set(itemId, false);
    } else if (completed !== false && !record.isPartial && !this.#isAltered(turnId)) {
      const when = completed === true ? "after its end" : "before its beginning";
      this.#violation(turnId, `${method} of item ${String(itemId)} ${when}`);
    }
    if (method === "item/agentMessage/delta") {
      const delta = String(params["delta"]);
      record.deltas = record.latest === itemId ? record.deltas + delta : delta;
      record.latest = itemId;
    }
    if (method !== "item/completed") return;
    record.items.set(itemId, true);
    if (item["type"] === "agentMessage") record.message = String(item["text"]);
  }

  #isAltered(turnId: string): boolean {
    return this.#ledger.turn(this.threadId, turnId).altered;
  }

  #record(turnId: string, method: string): TurnRecord {
    const record = this.#turns.get(turnId);
    if (record !== undefined) return record;
    // A proxy composes the end of a turn that a broker has lost, also after the program came back.
    const isComposed = method === "turn/completed" && this.#ledger.outages > 0;
    if (!this.#isPartial && !isComposed) this.#violation(turnId, `${method} before its beginning`);
    return this.#begin(turnId, true);
  }

  #begin(turnId: string, isPartial: boolean): TurnRecord {
    const record = {
      ended: undefined,
      items: new Map(),
      deltas: "",
      message: "",
      latest: undefined,
      isPartial,
    };
    this.#turns.set(turnId, record);
    return record;
  }

  #violation(turnId: string, what: string): void {
    this.#ledger.violation(`turn ${turnId} as ${this.#who} receives it: ${what}`);
  }
}

export function turnIdIn(params: Params): string | undefined {
  const turn = params["turn"];
  const turnId = params["turnId"] ?? (isRecord(turn) ? turn["id"] : undefined);
  return typeof turnId === "string" ? turnId : undefined;
}
