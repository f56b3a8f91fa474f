import { statSync, type BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
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
    return markIn(statSync(path, { bigint: true }));
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? ABSENT : undefined;
  }
}

/** The same for a path that may be on a remote disk. */
async function readMark(path: string): Promise<string | undefined> {
  try {
    return markIn(await stat(path, { bigint: true }));
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? ABSENT : undefined;
  }
}

function markIn({ dev, ino, size, mtimeNs, ctimeNs, ctimeMs }: BigIntStats): string | undefined {
  if (Date.now() - Number(ctimeMs) < SETTLED_AFTER_MS) return undefined;
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** One mark for all of them; undefined when one has none. */
export function marksOf(paths: readonly string[]): string | undefined {
  return together(paths.map((path) => markOf(path)));
}

/** The same for paths that may be on a remote disk. One after the other, to take one thread. */
export async function readMarks(paths: readonly string[]): Promise<string | undefined> {
  const marks = [];
  for (const path of paths) marks.push(await readMark(path));
  return together(marks);
}

function together(marks: ReadonlyArray<string | undefined>): string | undefined {
  return marks.includes(undefined) ? undefined : marks.join("\n");
}
