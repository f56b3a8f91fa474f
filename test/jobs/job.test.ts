import { describe, expect, test } from "vitest";
import { decodeEntry, encodeEntry } from "../../src/jobs/job-entry.ts";
import { jobIn, type Job } from "../../src/jobs/job.ts";
import { wholeJob } from "./entries.ts";

const lines = wholeJob().map(encodeEntry);

/** Of the lines that are whole. */
function jobOf(text: string): Job | undefined {
  const whole = text.split("\n").slice(0, -1);
  return jobIn(whole.flatMap((line) => decodeEntry(line) ?? []));
}

describe("a journal", () => {
  test("tells the whole job", () => {
    expect(jobOf(lines.join(""))).toMatchObject({
      id: "bcdf2345",
      epoch: 3,
      threadId: "t",
      turnId: "u",
      resolved: { model: "m" },
      usage: { total: 1 },
      end: { outcome: "completed", message: "ä 🙂" },
    });
  });

  test("F55 F56: cut at any byte it tells what was written as a whole, and nothing else", () => {
    const bytes = Buffer.from(lines.join(""));
    const ends = lines.map((_, index) => Buffer.byteLength(lines.slice(0, index + 1).join("")));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const job = jobOf(bytes.subarray(0, cut).toString("utf8"));
      const whole = ends.filter((end) => end <= cut).length;
      expect([cut, job === undefined]).toEqual([cut, whole === 0]);
      if (job === undefined) continue;
      expect([cut, job.turnId]).toEqual([cut, whole >= 2 ? "u" : null]);
      expect([cut, job.end?.outcome]).toEqual([cut, whole === 5 ? "completed" : undefined]);
    }
  });

  test("F56: a damaged line hides none of the others", () => {
    const text = [lines[0], "garbage\n", lines[1], '{"type":"item"}\n', lines[4]].join("");
    expect(jobOf(text)).toMatchObject({
      turnId: "u",
      end: { outcome: "completed" },
    });
  });

  test.each(["", "\n", "garbage\n", lines[1] ?? ""])("that begins with %j is none", (text) => {
    expect(jobOf(text)).toBeUndefined();
  });
});
