import { bindDarwin } from "./darwin-calls.ts";
import { darwin } from "./darwin.ts";
import type { Kernel } from "./kernel.ts";
import { bindNative } from "./koffi.ts";
import { linux } from "./linux.ts";
import { unprovable } from "./unprovable.ts";
import { bindWin32 } from "./win32-calls.ts";
import { win32 } from "./win32.ts";

let chosen: Kernel | undefined;

/** Chosen on first use, because Windows and macOS need koffi for it. */
export function thisKernel(): Kernel {
  chosen ??= choose();
  return chosen;
}

function choose(): Kernel {
  switch (process.platform) {
    case "linux":
      return linux;
    case "win32": {
      const calls = bindNative(bindWin32);
      return calls === undefined ? unprovable : win32(calls);
    }
    case "darwin": {
      const calls = bindNative(bindDarwin);
      return calls === undefined ? unprovable : darwin(calls);
    }
    default:
      return unprovable;
  }
}
