import { describe, expect, test } from "vitest";
import { AskedQuestions } from "../../src/client/asked-questions.ts";
import { deferred } from "../../src/base/deferred.ts";

describe("a question that is being answered", () => {
  test("is told when its answer is not waited for any more, and no other is", async () => {
    const questions = new AskedQuestions();
    const signals: AbortSignal[] = [];
    const hold = deferred<string>();
    const served = ["1", '"1"'].map((id) =>
      questions.serve(id, (signal) => {
        signals.push(signal);
        return hold.promise;
      }),
    );
    questions.resolved({ threadId: "t", requestId: 1 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    questions.clear();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    hold.resolve("late");
    expect(await Promise.all(served)).toEqual(["late", "late"]);
  });

  test("is forgotten once it is answered, well or not", async () => {
    const questions = new AskedQuestions();
    let last: AbortSignal | undefined;
    await questions.serve("1", (signal) => Promise.resolve((last = signal)));
    await expect(questions.serve("2", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    questions.resolved({ requestId: 1 });
    questions.resolved(null);
    questions.clear();
    expect(last?.aborted).toBe(false);
  });
});
