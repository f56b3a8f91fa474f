import { statSync } from "node:fs";

/** What a binary looks like from outside; null when it cannot be read. An update changes it. */
export function fingerprintOf(binary: string): string | null {
  try {
    const { size, mtimeMs } = statSync(binary);
    return `${size}-${Math.trunc(mtimeMs)}`;
  } catch {
    return null;
  }
}
