import type { JobView } from "../../client/job-list.ts";
import { printableLine } from "../output/printable.ts";
import { out } from "../output/output.ts";
import { padEnd } from "../output/width.ts";
import { entryText } from "./entry-text.ts";
import { Follower } from "./follower.ts";
import { failureOfJob, unreadable } from "./job-facts.ts";
import type { Numbered } from "./journal-tail.ts";

const NUMBER_COLUMNS = 4;
const WHAT_COLUMNS = 10;

export interface LogsWish {
  readonly from: number;
  readonly json: boolean;
  /** To its end, and not only what is there. */
  readonly follow: boolean;
}

/**
 * Prints a job's journal, an entry a line.
 *
 * @throws BrokerError `stateDirUnusable` for one without a beginning.
 */
export async function printJournal(view: JobView, wish: LogsWish): Promise<void> {
  if (view.state === "unreadable") throw unreadable(view);
  const tell = wish.json ? printRaw : printReadably;
  using follower = new Follower(view, { from: wish.from, tell });
  if (!wish.follow) return follower.catchUp();
  const readerGone = new AbortController();
  out.whenReaderGoes(() => readerGone.abort());
  const ended = await follower.toTheEnd(readerGone.signal);
  // Nobody was left to write that down.
  if (ended?.state !== "lost" || ended.job.end !== null) return;
  const why = failureOfJob(ended)?.message ?? "";
  if (wish.json) out.json({ type: "lost", why });
  else out.line(`${" ".repeat(10)}${padEnd("", NUMBER_COLUMNS)}${why}`);
}

function printRaw({ entry, told }: Numbered): void {
  out.json({ entry, ...told });
}

function printReadably({ entry, told }: Numbered): void {
  const [what, text] = entryText(told);
  const time = new Date(told.at).toTimeString().slice(0, 8);
  const head = `${time}  ${padEnd(String(entry), NUMBER_COLUMNS)}`;
  out.line(
    `${out.paint("dim", head)}${padEnd(printableLine(what), WHAT_COLUMNS)}${printableLine(text)}`,
  );
}
