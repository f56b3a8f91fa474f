import { utimes } from "node:fs";
import { HEARTBEAT_MS } from "../lifecycle/epoch-file.ts";

/**
 * Touches the epoch file at intervals. Programs of another host or container cannot verify this process,
 * but they see the time. @returns what stops it.
 */
export function startHeartbeat(epochFile: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    // A file that cannot be touched only looks older than its broker.
    utimes(epochFile, now, now, () => {});
  }, HEARTBEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}
