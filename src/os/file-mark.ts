import { statSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";

/** Of what is not there. */
export const ABSENT = "absent";

/** Longer than the grain of the times that file systems keep. */
const SETTLED_AFTER_MS = 2_500;

/**
 * Equal to an earlier one only when the file, or the entries of the directory, are still what they were
 * then; far cheaper than reading them. Undefined when that cannot be told: it cannot be looked at, or
 * has changed so lately that another change might not show.
 */
export function markOf(path: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(path, { bigint: true });
    if (Date.now() - Number(ctimeMs) < SETTLED_AFTER_MS) return undefined;
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? ABSENT : undefined;
  }
}

/** One mark for all of them; undefined when one has none. */
export function marksOf(paths: readonly string[]): string | undefined {
  const marks = paths.map((path) => markOf(path));
  return marks.includes(undefined) ? undefined : marks.join("\n");
}
