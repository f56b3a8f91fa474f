import { describe, expect, test } from "vitest";
import { encodeEntry } from "../../src/jobs/job-entry.ts";
import { jobIn } from "../../src/jobs/job.ts";
import { wholeJob } from "./entries.ts";

const lines = wholeJob().map(encodeEntry);

describe("a journal", () => {
  test("tells the whole job", () => {
    expect(jobIn(lines.join(""))).toMatchObject({
      id: "bcdf2345",
      epoch: 3,
      threadId: "t",
      turnId: "u",
      resolved: { model: "m" },
      items: [{ type: "agentMessage" }],
      usage: { total: 1 },
      end: { outcome: "completed", message: "ä 🙂" },
      damagedLines: 0,
    });
  });

  test("F55 F56: cut at any byte it tells what was written as a whole, and nothing else", () => {
    const bytes = Buffer.from(lines.join(""));
    const ends = lines.map((_, index) => Buffer.byteLength(lines.slice(0, index + 1).join("")));
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const job = jobIn(bytes.subarray(0, cut).toString("utf8"));
      const whole = ends.filter((end) => end <= cut).length;
      expect([cut, job === undefined]).toEqual([cut, whole === 0]);
      if (job === undefined) continue;
      expect([cut, job.turnId]).toEqual([cut, whole >= 2 ? "u" : null]);
      expect([cut, job.items.length]).toEqual([cut, whole >= 3 ? 1 : 0]);
      expect([cut, job.end?.outcome]).toEqual([cut, whole === 5 ? "completed" : undefined]);
      expect([cut, job.damagedLines]).toEqual([cut, 0]);
    }
  });

  test("F56: a damaged line is counted, and hides none of the others", () => {
    const text = [lines[0], "garbage\n", lines[1], '{"type":"item"}\n', lines[4]].join("");
    expect(jobIn(text)).toMatchObject({
      turnId: "u",
      end: { outcome: "completed" },
      damagedLines: 2,
    });
  });

  test.each(["", "\n", "garbage\n", lines[1] ?? ""])("that begins with %j is none", (text) => {
    expect(jobIn(text)).toBeUndefined();
  });
});
