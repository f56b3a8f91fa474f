import { readdirSync, rmdirSync } from "node:fs";
import path from "node:path";
import { errnoOf, messageOf } from "../../base/errors.ts";
import { removeIfThere, UNFINISHED } from "../../os/atomic-file.ts";
import { isPrivate } from "../../os/private-directory.ts";

interface Kept {
  readonly path: string;
  readonly why: string;
}

/** Removes one thing after the other, and remembers what it has left and why. */
export class Clearance {
  readonly removed: string[] = [];
  readonly kept: Kept[] = [];

  keep(where: string, why: string): void {
    this.kept.push({ path: where, why });
  }

  file(file: string): void {
    try {
      if (removeIfThere(file)) this.removed.push(file);
    } catch (error) {
      this.keep(file, messageOf(error));
    }
  }

  /** The files of these names, those that were never finished, and the directory should it be empty then. */
  files(directory: string, names: RegExp): void {
    if (!isPrivate(directory)) return;
    for (const name of namesIn(directory)) {
      if (names.test(name) || UNFINISHED.test(name)) this.file(path.join(directory, name));
    }
    this.directory(directory);
  }

  /** Only an empty one goes: what is still in it has been kept before, or was put there by somebody else. */
  directory(directory: string): void {
    try {
      rmdirSync(directory);
      this.removed.push(directory);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      const strangers = namesIn(directory).map((name) => path.join(directory, name));
      if (strangers.length === 0) this.keep(directory, messageOf(error));
      for (const each of strangers) {
        if (!this.#keptWithin(each)) this.keep(each, "no broker has put it there");
      }
    }
  }

  #keptWithin(where: string): boolean {
    return this.kept.some((each) => each.path === where || each.path.startsWith(where + path.sep));
  }
}

/** Empty when the directory is not there, or cannot be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
