import { statSync, type Stats } from "node:fs";
import { stat } from "node:fs/promises";

/** What a binary looks like from outside; null when it cannot be read. An update changes it. */
export function fingerprintOf(binary: string): string | null {
  try {
    return fingerprintIn(statSync(binary));
  } catch {
    return null;
  }
}

/** The same without blocking: the binary may be on a remote disk. */
export async function readFingerprint(binary: string): Promise<string | null> {
  try {
    return fingerprintIn(await stat(binary));
  } catch {
    return null;
  }
}

function fingerprintIn({ size, mtimeMs }: Stats): string {
  return `${size}-${Math.trunc(mtimeMs)}`;
}
