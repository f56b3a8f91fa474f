import type { StartOrder } from "../lifecycle/start-protocol.ts";
import { INSTANCE_VARIABLE } from "../os/process-mark.ts";

/**
 * Returns the environment of the app-server: that of the broker, with the variables that only the broker
 * must not have, without the one that makes an Electron application run as Node, and with the mark by which
 * the broker finds what the app-server leaves behind.
 */
export function appServerEnvironment(
  broker: NodeJS.ProcessEnv,
  { environment }: Pick<StartOrder, "environment">,
  instance: string,
): NodeJS.ProcessEnv {
  const { ELECTRON_RUN_AS_NODE: _broker, ...rest } = broker;
  return { ...rest, ...environment, [INSTANCE_VARIABLE]: instance };
}
