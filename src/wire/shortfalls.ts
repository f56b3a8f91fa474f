import { isRecord } from "./messages.ts";
import { subAgentsIn } from "./sub-agents.ts";

/** A request of Codex that was declined, with what names it. */
export interface DeclinedRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** An MCP server that is configured and did not start. */
export interface FailedMcpServer {
  readonly name: string;
  /** In Codex's own words. */
  readonly error: string | null;
}

/** What a turn had to do without, although it may have completed. */
export interface Shortfalls {
  readonly declined: readonly DeclinedRequest[];
  readonly failedMcpServers: readonly FailedMcpServer[];
  /** Threads of sub-agents that still worked when the turn ended: Codex ends them then. */
  readonly unfinishedSubAgents: readonly string[];
}

/** Of each kind. A result is no log. */
const MAX_KEPT = 50;
const MAX_CHARACTERS = 1_000;
/** What names the request. The rest can be as large as a diff. */
const NAMING = ["kind", "command", "cwd", "grantRoot", "serverName", "tool", "permissions"];

/** Collects what a turn had to do without, from what its connection receives. */
export class ShortfallBook {
  readonly #declined: Array<
    DeclinedRequest & { readonly place: Readonly<Record<string, unknown>> }
  > = [];
  readonly #failed = new Map<unknown, Map<string, FailedMcpServer>>();

  readonly #subAgents = new SubAgentWork();

  observe(method: string, params: unknown): void {
    if (!isRecord(params)) return;
    this.#subAgents.observe(method, params);
    if (method === "broker/declined") {
      const request = isRecord(params["params"]) ? params["params"] : {};
      return this.declined(String(params["method"]), request);
    }
    if (method !== "mcpServer/startupStatus/updated") return;
    const { threadId, name, status, error } = params;
    const ofThread = this.#failed.get(threadId) ?? new Map<string, FailedMcpServer>();
    this.#failed.set(threadId, ofThread);
    if (status === "failed" && ofThread.size < MAX_KEPT) {
      const why = typeof error === "string" ? error.slice(0, MAX_CHARACTERS) : null;
      ofThread.set(String(name), { name: String(name), error: why });
    } else if (status === "ready") ofThread.delete(String(name));
  }

  declined(method: string, params: unknown): void {
    if (!isRecord(params) || this.#declined.length >= MAX_KEPT) return;
    const { threadId, conversationId, turnId } = params;
    const place = { threadId: threadId ?? conversationId, turnId };
    this.#declined.push({ method, params: naming(params), place });
  }

  /** @param isOwn whether something of that thread and turn belongs to the turn. */
  of(
    threadId: string | undefined,
    isOwn: (place: Readonly<Record<string, unknown>>) => boolean,
  ): Shortfalls {
    return {
      declined: this.#declined
        .filter(({ place }) => isOwn(place))
        .map(({ method, params }) => ({ method, params })),
      failedMcpServers: [...(this.#failed.get(threadId)?.values() ?? [])],
      unfinishedSubAgents: this.#subAgents.unfinishedAtEndOf(threadId),
    };
  }
}

function naming(params: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const named = NAMING.flatMap((name) => {
    const value = params[name];
    if (value === undefined || value === null) return [];
    if (typeof value === "string") return [[name, value.slice(0, MAX_CHARACTERS)]];
    return JSON.stringify(value).length > MAX_CHARACTERS ? [] : [[name, value]];
  });
  const meta = params["_meta"];
  const tool = isRecord(meta) && typeof meta["tool_name"] === "string" ? meta["tool_name"] : null;
  return { ...Object.fromEntries(named), ...(tool === null ? {} : { tool }) };
}

/** Which sub-agents work, and which did when the turn of a thread ended. */
class SubAgentWork {
  readonly #parents = new Map<unknown, unknown>();
  readonly #working = new Set<string>();
  readonly #begun = new Set<unknown>();
  readonly #atEnd = new Map<unknown, readonly string[]>();

  observe(method: string, params: Readonly<Record<string, unknown>>): void {
    for (const { threadId, parentId } of subAgentsIn(method, params)) {
      if (!this.#descendsFrom(parentId, threadId)) this.#parents.set(threadId, parentId);
    }
    const { threadId, item } = params;
    if (typeof threadId !== "string") return;
    if (method === "item/completed" && isRecord(item)) this.#noteSpawned(item["agentsStates"]);
    if (method === "turn/started") {
      this.#begun.add(threadId);
      this.#working.add(threadId);
    }
    if (method !== "turn/completed" && method !== "thread/closed") return;
    this.#working.delete(threadId);
    if (method === "thread/closed") return;
    const left = [...this.#working].filter((each) => this.#descendsFrom(each, threadId));
    this.#atEnd.set(threadId, left.slice(0, MAX_KEPT));
  }

  unfinishedAtEndOf(threadId: string | undefined): readonly string[] {
    return this.#atEnd.get(threadId) ?? [];
  }

  /** A sub-agent whose turn has not begun yet works too. */
  #noteSpawned(states: unknown): void {
    for (const [threadId, state] of Object.entries(isRecord(states) ? states : {})) {
      const status = isRecord(state) ? state["status"] : undefined;
      if (status !== "pendingInit" && status !== "running") continue;
      if (!this.#begun.has(threadId)) this.#working.add(threadId);
    }
  }

  #descendsFrom(threadId: unknown, root: string): boolean {
    const parent = this.#parents.get(threadId);
    return parent !== undefined && (parent === root || this.#descendsFrom(parent, root));
  }
}
