import type { Socket } from "node:net";
import { bindNative, type Koffi } from "./kernel/koffi.ts";

type PeerCredentials = (descriptor: number) => Buffer | undefined;

/** In both kernels for which there is a codex. */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: pid, uid, gid. */
const UCRED_BYTES = 12;
const UID_AT = 4;

let bound: PeerCredentials | null | undefined;

/**
 * The user at the other end of a local socket, as the kernel took it down when it connected. Undefined
 * where that cannot be told: on other systems than Linux, and without koffi.
 */
export function uidOfPeer(socket: Socket): number | undefined {
  if (process.platform !== "linux") return undefined;
  bound ??= bindNative(bind) ?? null;
  const descriptor = descriptorOf(socket);
  if (bound === null || descriptor === undefined) return undefined;
  return bound(descriptor)?.readUInt32LE(UID_AT);
}

function bind(koffi: Koffi): PeerCredentials {
  const getsockopt = koffi.load("libc.so.6").func("int getsockopt(int, int, int, void *, void *)");
  return (descriptor) => {
    const credentials = Buffer.alloc(UCRED_BYTES);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(UCRED_BYTES);
    const failed = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, size);
    return failed === 0 && size.readUInt32LE() === UCRED_BYTES ? credentials : undefined;
  };
}

/** Node has no other way to it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === "number" && handle.fd >= 0 ? handle.fd : undefined;
}
