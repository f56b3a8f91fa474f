/**
 * The paths that support code makes, as one list for the whole test process.
 *
 * Kept apart from the leak guard so that whatever makes a directory or a socket can say so without knowing of vitest.
 */
const present = new Set<string>();
const past: string[] = [];

/** Notes that `path` exists because of us. */
export function ownPath(path: string): void {
  present.add(path);
  past.push(path);
}

/** Notes that `path` has been removed again. */
export function disownPath(path: string): void {
  present.delete(path);
}

/** What should not be there any more when everybody has cleaned up, oldest first. */
export function ownedPaths(): readonly string[] {
  return [...present];
}

/** Every path ever owned, also the removed ones: a process may still sit in a directory that is gone. */
export function everOwnedPaths(): readonly string[] {
  return past;
}
