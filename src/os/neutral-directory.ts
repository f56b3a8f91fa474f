import path from "node:path";

/** A directory that nobody wants to delete: a process in a workspace makes it undeletable on Windows. */
export function neutralDirectory(): string {
  return path.parse(process.execPath).root;
}
