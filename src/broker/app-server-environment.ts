import type { StartOrder } from "../lifecycle/start-protocol.ts";

/**
 * Returns the environment of the app-server: that of the broker, with the variables that only the broker
 * must not have, and without the one that makes an Electron application run as Node.
 */
export function appServerEnvironment(
  broker: NodeJS.ProcessEnv,
  { environment }: Pick<StartOrder, "environment">,
): NodeJS.ProcessEnv {
  const { ELECTRON_RUN_AS_NODE: _broker, ...rest } = broker;
  return { ...rest, ...environment };
}
