import { hostMark } from "../host-mark.ts";
import type { Kernel } from "./kernel.ts";

/**
 * A system that we do not know, or cannot ask for want of koffi. A process is proven gone when nobody
 * has its pid; nobody is ever proven alive, and nobody is signalled.
 */
export const unprovable: Kernel = {
  machine: hostMark,
  bootId: () => null,
  pidNamespace: () => null,
  read: () => undefined,
  list: () => undefined,
  canHold: () => false,
  hold: () => undefined,
};
