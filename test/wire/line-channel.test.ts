import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { pause } from "../../src/base/deadline.ts";
import { deferred } from "../../src/base/deferred.ts";
import { LineChannel, type Streams } from "../../src/wire/line-channel.ts";
import { makeTempDir } from "../support/temp-dir.ts";
import { linkedEnds } from "./duplex.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { lineOf, longLine } from "../../src/wire/line.ts";

guardAgainstLeaks();

interface Heard {
  readonly channel: LineChannel;
  readonly lines: string[];
  /** One entry for each time the end was told. */
  readonly ends: Array<string | undefined>;
}

function listenTo(streams: Streams): Heard {
  const lines: string[] = [];
  const ends: Array<string | undefined> = [];
  const channel = new LineChannel(
    streams,
    {
      onLine: (line) => lines.push(line.toString("utf8")),
      onOversizedLine: (limit) => lines.push(`over ${limit}`),
      onEnd: (cause) => ends.push(cause?.message),
    },
    100,
  );
  return { channel, lines, ends };
}

describe("lines", () => {
  test("F49: go out and come in whole, whatever characters they have", async () => {
    const { near, sent, say } = linkedEnds();
    const { channel, lines } = listenTo({ readable: near, writable: near });
    say('"a\u2028b"', "", "漢😀");
    channel.send(lineOf('"c\u2029d"'));
    channel.send(lineOf("漢😀"));
    await pause(1);
    expect(lines).toEqual(['"a\u2028b"', "", "漢😀"]);
    expect(sent).toEqual(['"c\u2029d"', "漢😀"]);
  });

  test("that are sent in one turn of the event loop leave in one write", async () => {
    const writes: number[] = [];
    const writable = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        writes.push(chunk.length);
        done();
      },
    });
    const { channel } = listenTo({ readable: new PassThrough(), writable });
    for (let i = 0; i < 100; i += 1) channel.send(lineOf("x"));
    await pause(1);
    channel.send(lineOf("y"));
    await pause(1);
    expect(writes).toEqual([200, 2]);
  });

  test("that are long keep their place among others, and are written as they are", async () => {
    const { near, sent } = linkedEnds();
    const { channel } = listenTo({ readable: near, writable: near });
    channel.send(lineOf("before"));
    channel.send(longLine(Buffer.from("long "), Buffer.from("漢")));
    channel.send(lineOf("after"));
    await pause(1);
    expect(sent).toEqual(["before", "long 漢", "after"]);
  });

  test("that are more than a pipe holds do not wait for one another", async () => {
    const writes: number[] = [];
    const writable = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        writes.push(chunk.length);
        done();
      },
    });
    const { channel } = listenTo({ readable: new PassThrough(), writable });
    const line = lineOf("x".repeat(40 * 1_024 - 1));
    for (let i = 0; i < 3; i += 1) channel.send(line);
    expect(writes).toEqual([80 * 1_024]);
    await pause(1);
    expect(writes).toEqual([80 * 1_024, 40 * 1_024]);
  });

  test("that nobody has taken yet are counted in bytes", () => {
    const writable = new Writable({ write: () => {} });
    const { channel } = listenTo({ readable: new PassThrough(), writable });
    channel.send(lineOf("漢"));
    channel.send(lineOf("x"));
    expect(channel.queuedBytes).toBe(4 + 2);
  });

  test("that are queued when it is finished are sent, and none after that", async () => {
    const { near, far, sent } = linkedEnds();
    const { channel } = listenTo({ readable: near, writable: near });
    channel.send(lineOf("last words"));
    channel.finish();
    channel.send(lineOf("too late"));
    await once(far, "end");
    expect(sent).toEqual(["last words"]);
  });
});

describe("the end is told once (F42)", () => {
  test("when the other side ends in order", async () => {
    const { near, far } = linkedEnds();
    const { ends, channel } = listenTo({ readable: near, writable: near });
    far.end();
    await pause(5);
    expect(ends).toEqual([undefined]);
    expect(channel.ended).toBe(true);
  });

  test("when the stream breaks, with the cause", async () => {
    const { near } = linkedEnds();
    const { ends, channel } = listenTo({ readable: near, writable: near });
    near.destroy(new Error("read ECONNRESET"));
    await pause(5);
    channel.destroy();
    expect(ends).toEqual(["read ECONNRESET"]);
  });

  test("when the writing half of two breaks or closes", async () => {
    for (const cause of [new Error("write EPIPE"), undefined]) {
      const writable = new PassThrough();
      const { ends } = listenTo({ readable: new PassThrough(), writable });
      writable.destroy(cause);
      await pause(1);
      expect(ends).toEqual([cause?.message]);
    }
  });

  test("when it is destroyed, in that very moment, and nothing is sent any more", async () => {
    const { near, sent } = linkedEnds();
    const { ends, channel } = listenTo({ readable: near, writable: near });
    channel.send(lineOf("lost"));
    channel.destroy();
    expect(ends).toEqual([undefined]);
    channel.send(lineOf("too late"));
    channel.finish();
    channel.destroy();
    await pause(5);
    expect(ends).toEqual([undefined]);
    expect(sent).toEqual([]);
  });
});

describe("closing", () => {
  test("sends all that is queued, and leaves no half of the connection open", async () => {
    await using dir = await makeTempDir();
    const accepted = deferred<Socket>();
    // The far end could go on sending after our end, were only one half closed.
    const server = createServer({ allowHalfOpen: true }, accepted.resolve);
    server.listen(join(dir.path, "s"));
    await once(server, "listening");
    const near = connect({ path: join(dir.path, "s") });
    const { channel, ends } = listenTo({ readable: near, writable: near });
    const far = await accepted.promise;
    far.write("what nobody reads any more\n");
    const line = lineOf("x".repeat(1_000_000));
    for (let i = 0; i < 8; i += 1) channel.send(line);
    channel.close();
    channel.send(lineOf("too late"));
    let bytes = 0;
    far.on("data", (chunk: Buffer) => (bytes += chunk.length));
    far.on("error", () => {});
    await once(far, "end");
    expect(bytes).toBe(8 * (line.length + 1));
    expect(ends).toEqual([undefined]);
    const failure = once(far, "error") as Promise<[NodeJS.ErrnoException]>;
    far.write("anybody?");
    expect((await failure)[0].code).toBe("EPIPE");
    far.destroy();
    server.close();
  });
});

describe("nothing comes after the end", () => {
  test("not even what had arrived in the same piece", async () => {
    const { near, say } = linkedEnds();
    const lines: string[] = [];
    const channel = new LineChannel(
      { readable: near, writable: near },
      {
        onLine: (line) => {
          lines.push(line.toString());
          channel.destroy();
        },
        onOversizedLine: () => {},
        onEnd: () => {},
      },
      100,
    );
    say("one", "two", "three");
    await pause(5);
    expect(lines).toEqual(["one"]);
  });
});

describe("a process that has gone", () => {
  test("F50: takes the channel with it, and writing to it throws nothing", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.destroy()"]);
    const { ends, channel } = listenTo({ readable: child.stdout, writable: child.stdin });
    while (!channel.ended) {
      channel.send(lineOf("x".repeat(70_000)));
      await pause(1);
    }
    expect(ends).toHaveLength(1);
    if (child.exitCode === null) await once(child, "exit");
  });
});
