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

function markIn(seen: BigIntStats): string | undefined {
  return Date.now() - Number(seen.ctimeMs) < SETTLED_AFTER_MS ? undefined : identityIn(seen);
}

function identityIn({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** One mark for all of them; undefined when one has none. */
export function marksOf(paths: readonly string[]): string | undefined {
  const marks = paths.map((path) => markOf(path));
  return marks.includes(undefined) ? undefined : marks.join("\n");
}

/** What files on a disk that may be remote look like together. */
export interface Signature {
  /** Equal to an earlier one when no file has changed since, as far as its times tell. */
  readonly text: string;
  /** How long ago the latest change was. */
  readonly ageMs: number;
}

/** Never rejects. Looks at one file after the other, to occupy one thread. */
export async function readSignature(paths: readonly string[]): Promise<Signature> {
  const parts: string[] = [];
  let latest = 0;
  for (const path of paths) {
    const seen = await stat(path, { bigint: true }).catch(() => undefined);
    parts.push(seen === undefined ? ABSENT : identityIn(seen));
    // Not the time of modification, which may be the one that the file had in its package.
    latest = Math.max(latest, Number(seen?.ctimeMs ?? 0));
  }
  return { text: parts.join("\n"), ageMs: Math.max(0, Date.now() - latest) };
}
