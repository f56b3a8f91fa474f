import { PassThrough, Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { Deadline } from "../../../src/base/deadline.ts";
import { readHookInput, type HookReading } from "../../../src/cli/hook/hook-input.ts";

/** The stream stays open unless it is said to end. */
async function read(pieces: readonly (string | Buffer)[], ends = false): Promise<HookReading> {
  const stdin = new PassThrough();
  const reading = readHookInput(stdin, Deadline.after(ends ? 5_000 : 300));
  for (const piece of pieces) stdin.write(piece);
  if (ends) stdin.end();
  return await reading;
}

const event = {
  session_id: "s",
  cwd: "/w",
  hook_event_name: "Stop",
  stop_hook_active: true,
  last_assistant_message: 'a } "b" {\\ \u2028 ü',
};

describe("F100: the input of a hook", () => {
  test("is acted on when it is whole, though the stream stays open", async () => {
    const stdin = new PassThrough();
    const reading = readHookInput(stdin, Deadline.never());
    stdin.write(JSON.stringify(event));
    expect(await reading).toEqual({
      state: "read",
      input: {
        session: "s",
        cwd: "/w",
        transcript: undefined,
        reason: undefined,
        stopHookActive: true,
        lastMessage: event.last_assistant_message,
      },
    });
  });

  test("may come in pieces of a byte", async () => {
    const bytes = Buffer.from(` \n${JSON.stringify(event, null, 2)}`);
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    expect((await read(pieces)).state).toBe("read");
  });

  test("may be some megabytes", async () => {
    const text = `{"x":[${'{"y":"}"},'.repeat(400_000)}0],"session_id":"s"}`;
    const pieces = text.match(/[^]{1,65536}/g) ?? [];
    expect(await read(pieces)).toMatchObject({ state: "read", input: { session: "s" } });
  });

  test.each([
    ["nothing, and an end", [], true, "no input"],
    ["nothing at all", [], false, "in time"],
    ["half of it, and an end", ['{"a":'], true, "cut off"],
    ["half of it", ['{"a":"}'], false, "in time"],
    ["something else", ["hello"], false, "no JSON object"],
    ["braces that hold no JSON", ["{a}"], false, "no JSON object"],
    ["a list", ["[{}]"], false, "no JSON object"],
    ["bytes that are no text", [Buffer.from([0xff, 0x00, 0xfe])], false, "no JSON object"],
  ])("%s is none", async (_what, pieces, ends, why) => {
    const reading = await read(pieces, ends);
    expect(reading).toMatchObject({ state: "none", why: expect.stringContaining(why) as string });
  });

  test("is read from the pipe although the time is up (F151)", async () => {
    const pieces = JSON.stringify({ ...event, more: "x".repeat(5_000) }).split("");
    // A pipe gives its first piece some turns of the event loop after it is asked.
    const stdin = new Readable({
      read() {
        setImmediate(() => setImmediate(() => this.push(pieces.shift() ?? "")));
      },
    });
    const late = Deadline.after(-1);
    expect(await readHookInput(stdin, late)).toMatchObject({
      state: "read",
      input: { session: "s", lastMessage: event.last_assistant_message },
    });
  });
});
