import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { errnoOf } from "../../base/errors.ts";

const CHUNK_BYTES = 64 * 1024;

/** Reads a growing file line by line. One that is cut short is read from its beginning again. */
export class LogTail {
  readonly #path: string;
  #decoder = new StringDecoder("utf8");
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** The whole lines that were added since the last call. A file that is not there has none. */
  read(): string[] {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
    try {
      if (fstatSync(file).size < this.#offset) this.#startAgain();
      return this.#readFrom(file);
    } finally {
      closeSync(file);
    }
  }

  /** What stands after the last line end: the last words of a process that was killed. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    return rest === "" ? [] : [rest];
  }

  #readFrom(file: number): string[] {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const lines: string[] = [];
    for (;;) {
      const length = readSync(file, chunk, 0, chunk.length, this.#offset);
      if (length === 0) return lines;
      this.#offset += length;
      const parts = (this.#rest + this.#decoder.write(chunk.subarray(0, length))).split("\n");
      this.#rest = parts.pop() ?? "";
      for (const part of parts) lines.push(part);
    }
  }

  #startAgain(): void {
    this.#offset = 0;
    this.#rest = "";
    this.#decoder = new StringDecoder("utf8");
  }
}
