import { createRequire } from "node:module";
import { trace } from "../../base/trace.ts";

type NativeCall = (...args: unknown[]) => unknown;

export interface Koffi {
  load(library: string): { func(signature: string): NativeCall };
  /** Where a buffer lies. Whoever passes it on must keep the buffer alive. */
  address(buffer: Buffer): bigint;
}

/**
 * Native calls, or undefined where they cannot be had: koffi is an optional dependency. It is loaded
 * only when somebody needs a call, for it costs 20 to 50 ms.
 */
export function bindNative<Calls>(bind: (koffi: Koffi) => Calls): Calls | undefined {
  try {
    return bind(createRequire(import.meta.filename)("koffi") as Koffi);
  } catch (error) {
    trace("info", "native.unavailable", { error: String(error) });
    return undefined;
  }
}
