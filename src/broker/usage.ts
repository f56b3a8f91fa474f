import type { AppServerChild } from "../app-server/child.ts";
import type { Usage } from "../base/usage.ts";
import { ownUsage, residentBytesOf, usageOf } from "../os/process-usage.ts";

/** What this broker uses now. Blocks for about 0.1 ms for each process of the machine. */
export function takeUsage(child: AppServerChild | undefined): Usage {
  const broker = ownUsage();
  if (child?.pid === undefined || child.exit !== undefined) {
    return { broker, appServer: null, descendants: null };
  }
  const appServer = usageOf(child.pid);
  if (!child.descendants.supported) return { broker, appServer, descendants: null };
  const running = child.descendants.note();
  const rssBytes = running.reduce((sum, { pid }) => sum + (residentBytesOf(pid) ?? 0), 0);
  return { broker, appServer, descendants: { count: running.length, rssBytes } };
}
