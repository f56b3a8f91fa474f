import { expect, test } from "vitest";
import { deferred } from "../../src/base/deferred.ts";
import { OpenWork } from "../../src/client/open-work.ts";
import { ThreadBook, type ThreadHome } from "../../src/client/thread-book.ts";
import { MAX_LINE_BYTES } from "../../src/wire/broker-protocol.ts";
import { Connection } from "../../src/wire/connection.ts";
import { eventually } from "../support/eventually.ts";
import { linkedEnds } from "../wire/duplex.ts";

const THREAD = { threadId: "t" };
const OPENED = { thread: { id: "t" } };

interface Home extends ThreadHome {
  /** The requests that have arrived at the other end. */
  readonly asked: readonly string[];
  /** Answers `thread/resume`. */
  readonly resumed: (result: unknown) => void;
}

/** One of the client's connections; its other end answers as a broker does. */
function home(): Home {
  const { near, far } = linkedEnds();
  const asked: string[] = [];
  const resumed = deferred<unknown>();
  const maxLineBytes = MAX_LINE_BYTES;
  const other = {
    maxLineBytes,
    onRequest: (method: string): unknown => {
      asked.push(method);
      return method === "thread/resume" ? resumed.promise : {};
    },
  };
  // It is kept alive by the pair of streams.
  void new Connection({ readable: far, writable: far }, other);
  const connection = new Connection({ readable: near, writable: near }, { maxLineBytes });
  return { asked, resumed: resumed.resolve, work: new OpenWork(), link: { connection } };
}

test("a thread that the client leaves while a successor takes it over is left there too (F186)", async () => {
  const [old, next] = [home(), home()];
  const book = new ThreadBook<Home>();
  book.opened(THREAD, OPENED, old);
  book.takeOver(old, next);
  const arrival = book.arrival("t");
  await eventually(() => next.asked.length === 1, "the successor is asked");
  // The old broker answers what the client sent before it knew of the successor.
  book.answered("thread/unsubscribe", THREAD, { status: "unsubscribed" }, old);
  next.resumed(OPENED);
  await arrival;
  await eventually(() => next.asked.length === 2, "the successor is told");
  expect(next.asked).toEqual(["thread/resume", "thread/unsubscribe"]);
  expect(book.homeOf("t")).toBeUndefined();
});
