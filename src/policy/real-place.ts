import { realpath } from "node:fs/promises";
import path from "node:path";
import { Deadline } from "../base/deadline.ts";

/** A path on a file system that does not respond is in no rule. */
const RESOLVE_TIMEOUT_MS = 2_000;

/** Returns whether both paths lead to one existing directory or file. */
export async function isSamePlace(left: string, right: string): Promise<boolean> {
  const [a, b] = await Promise.all([resolved(left), resolved(right)]);
  return a !== undefined && a === b;
}

/** Returns the real path of `file` from `root` on, or undefined when it does not lie below it. */
export async function isBelow(root: string, file: string): Promise<string | undefined> {
  const [top, place] = await Promise.all([resolved(root), resolvedOrNew(file)]);
  if (top === undefined || place === undefined) return undefined;
  const relative = path.relative(top, place);
  const isOutside = relative === "" || relative === ".." || relative.startsWith(`..${path.sep}`);
  return isOutside || path.isAbsolute(relative) ? undefined : relative;
}

/** The file may be new, and so may directories above it: the nearest one that exists decides. */
async function resolvedOrNew(file: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = path.resolve(file); ; at = path.dirname(at)) {
    const found = await resolved(at);
    if (found !== undefined) return path.join(found, ...missing);
    if (at === path.dirname(at)) return undefined;
    missing.unshift(path.basename(at));
  }
}

async function resolved(place: string): Promise<string | undefined> {
  try {
    const timedOut = (): Error => new Error("no response in time");
    return await Deadline.after(RESOLVE_TIMEOUT_MS).race(realpath(place), timedOut);
  } catch {
    return undefined;
  }
}
