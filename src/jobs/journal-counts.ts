import { createReadStream } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { LineSplitter } from "../wire/line-splitter.ts";
import { decodeEntry } from "./job-entry.ts";

/** What only the whole journal tells. */
export interface JournalCounts {
  readonly items: number;
  /** Whole lines that are no entries: another program has written there. */
  readonly damagedLines: number;
}

/**
 * Reads a whole journal in pieces. For one job that a user asks about, not for lists. A journal that
 * was removed has no entries.
 *
 * @throws the system error.
 */
export async function countEntries(path: string): Promise<JournalCounts> {
  let items = 0;
  let damagedLines = 0;
  const splitter = new LineSplitter(
    {
      onLine: (line) => {
        const entry = decodeEntry(line.toString("utf8"));
        if (entry === undefined) damagedLines += 1;
        else if (entry.type === "item") items += 1;
      },
      onOversizedLine: () => (damagedLines += 1),
    },
    MAX_LINE_BYTES,
  );
  try {
    for await (const chunk of createReadStream(path)) splitter.push(chunk as Buffer);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  return { items, damagedLines };
}

/** Larger than any message that Codex can send through a broker. */
const MAX_LINE_BYTES = 128 * 1024 * 1024;
