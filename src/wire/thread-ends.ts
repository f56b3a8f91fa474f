import { isRecord } from "./messages.ts";

/** After these a thread is not loaded any more, and no turn runs on it. */
const CLOSINGS: ReadonlySet<string> = new Set([
  "thread/closed",
  "thread/archived",
  "thread/deleted",
]);

/** Whether a notification says that its thread has been unloaded, and is the last one that does. */
export function closesThread(method: string): boolean {
  return CLOSINGS.has(method);
}

/** Whether it ends the present life of its thread: nothing from before belongs to the next one. */
export function endsThread(method: string, params: unknown): boolean {
  if (closesThread(method)) return true;
  if (method !== "thread/status/changed" || !isRecord(params)) return false;
  const { status } = params;
  return isRecord(status) && status["type"] === "notLoaded";
}
