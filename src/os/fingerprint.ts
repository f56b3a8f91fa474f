import { stat } from "node:fs/promises";

/** Of a binary that cannot be read. */
export const UNKNOWN_FINGERPRINT = "unknown";

/** Returns what a binary looks like from outside. An update changes it. */
export async function readFingerprint(binary: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(binary);
    return `${size}-${Math.trunc(mtimeMs)}`;
  } catch {
    return UNKNOWN_FINGERPRINT;
  }
}
