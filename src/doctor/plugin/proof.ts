import { lstatSync, readFileSync } from "node:fs";
import { livenessOf } from "../../os/process-identity.ts";
import { holdsSocket, socketsAt } from "../../os/unix-sockets.ts";
import type { PluginBroker } from "./plugin-broker.ts";

/**
 * Why this process is not proven to be the plugin's broker that its command line describes; undefined
 * when it is: the kernel says that it listens on that socket, and its pid file agrees.
 */
export function doubtAbout(broker: PluginBroker): string | undefined {
  const { identity, socket, pidFile } = broker;
  if (livenessOf(identity) !== "alive") return "it is not the same process any more";
  const sockets = socketsAt(socket);
  if (sockets === undefined) return "its sockets cannot be seen here";
  if (sockets.listener === undefined) return `nobody listens on ${socket}`;
  if (!holdsSocket(identity.pid, sockets.listener)) {
    return `the listener on ${socket} is another process`;
  }
  const written = pidIn(pidFile);
  if (written === undefined) return `its pid file ${pidFile} is gone`;
  return written === identity.pid ? undefined : `its pid file ${pidFile} names another process`;
}

/** Undefined when there is no such file of this user. */
export function pidIn(pidFile: string): number | undefined {
  try {
    const stats = lstatSync(pidFile);
    if (!stats.isFile() || stats.size > 32 || stats.uid !== process.geteuid?.()) return undefined;
    return Number(readFileSync(pidFile, "utf8").trim());
  } catch {
    return undefined;
  }
}
