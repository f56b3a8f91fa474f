import { describe, expect, test } from "vitest";
import { MAX_CONTENT_BYTES, withinLimit } from "../../src/jobs/entry-size.ts";
import { decodeEntry, encodeEntry, type JobEntry } from "../../src/jobs/job-entry.ts";
import { wholeJob } from "./entries.ts";

const at = "2026-11-01T10:00:00.000Z";

function ofItem(item: unknown): JobEntry {
  return { type: "item", at, item };
}

describe("an entry of a journal", () => {
  test("F120: within the limit stays as it is", () => {
    for (const entry of wholeJob()) expect(withinLimit(entry)).toBe(entry);
  });

  test.each([
    ["one long text", { type: "agentMessage", id: "i", text: "ä🙂".repeat(100_000) }],
    [
      "many texts",
      { type: "x", id: "i", parts: Array.from({ length: 9_000 }, () => "y".repeat(99)) },
    ],
    ["many members", Object.fromEntries(Array.from({ length: 90_000 }, (_, n) => [`m${n}`, n]))],
    ["deep nesting", { type: "x", id: "i", deep: nested(3_000, "z".repeat(100_000)) }],
    ["wide and deep", { type: "x", id: "i", tree: tree(6) }],
  ])("F120: with %s is cut, and says how large it was", (_what, item) => {
    const cut = withinLimit(ofItem(item));
    expect(Buffer.byteLength(encodeEntry(cut))).toBeLessThan(MAX_CONTENT_BYTES + 200);
    const bytes = Buffer.byteLength(JSON.stringify(item));
    expect(cut).toMatchObject({ type: "item", at, truncated: { bytes } });
    if ("id" in item) expect(cut).toMatchObject({ item: { type: item.type, id: "i" } });
    expect(decodeEntry(encodeEntry(cut).trimEnd())).toEqual(cut);
    expect(encodeEntry(cut)).not.toMatch(/\\ud83d(?!\\)/);
  });

  test("F120: cuts a prompt, an allowed request and an error, and never the final message", () => {
    const [created, , , , ended] = wholeJob();
    const long = "x".repeat(200_000);
    const request = (created as JobEntry & { type: "created" }).request;
    const cut = withinLimit({ ...created, request: { ...request, prompt: long } } as JobEntry);
    expect(encodeEntry(cut).length).toBeLessThan(MAX_CONTENT_BYTES);
    expect(decodeEntry(encodeEntry(cut).trimEnd())).toEqual(cut);
    const allowed = withinLimit({ type: "allowed", at, method: "m", params: { command: long } });
    expect(encodeEntry(allowed).length).toBeLessThan(MAX_CONTENT_BYTES);
    const failed = { ...ended, message: long, error: { message: long } } as JobEntry;
    expect(withinLimit(failed)).toMatchObject({ message: long, truncated: { bytes: 200_014 } });
  });
});

function nested(depth: number, leaf: unknown): unknown {
  let value = leaf;
  for (let level = 0; level < depth; level += 1) value = { in: value };
  return value;
}

function tree(depth: number): unknown {
  return depth === 0 ? "leaf" : Array.from({ length: 8 }, () => tree(depth - 1));
}
