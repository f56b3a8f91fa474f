import { trace } from "../base/trace.ts";

/** A request of the broker's own. @throws when it is not answered with a result. */
export type Ask = (method: string, params: unknown, limitMs: number) => Promise<unknown>;

/** A request whose answer nobody waits for. */
export function askQuietly(ask: Ask, method: string, params: unknown, limitMs: number): void {
  ask(method, params, limitMs).catch((error: unknown) => {
    trace("info", "upstream.unanswered", { method, params, error: String(error) });
  });
}
