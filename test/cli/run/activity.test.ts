import { describe, expect, test } from "vitest";
import { Activity, type Note } from "../../../src/cli/run/activity.ts";
import { withoutShell } from "../../../src/cli/run/work.ts";
import type { TurnEvent } from "../../../src/index.ts";

/** Only what the story is drawn from. */
function item(type: "started" | "completed", facts: object): TurnEvent {
  return { type: `item.${type}`, item: { id: "i", ...facts } } as TurnEvent;
}

const command = { type: "commandExecution", command: "/bin/bash -lc 'npm test'" };

describe("what a turn is doing", () => {
  test("is told from its events", () => {
    const activity = new Activity();
    const notes: Note[] = [];
    const seen: string[] = [];
    const observe = (event: TurnEvent): void => {
      notes.push(...activity.observe(event));
      seen.push(`${activity.now.doing} ${activity.now.subject}|${activity.tail}`.trim());
    };
    observe(item("started", { id: "m", type: "agentMessage", text: "" }));
    observe({ type: "message.delta", itemId: "m", delta: "I " });
    observe({ type: "message.delta", itemId: "m", delta: "look" });
    observe(item("completed", { id: "m", type: "agentMessage", text: "I look" }));
    observe(item("started", { ...command, status: "inProgress", exitCode: null }));
    observe({ type: "command.output", itemId: "i", delta: "fine\n" });
    observe(item("completed", { ...command, status: "failed", exitCode: 2, durationMs: 1_200 }));
    observe(item("started", { id: "n", type: "agentMessage", text: "" }));
    observe(item("completed", { id: "n", type: "agentMessage", text: "Done." }));
    expect(seen).toEqual([
      "writing |",
      "writing |I",
      "writing |I look",
      "waiting for the model |",
      "running npm test|",
      "running npm test|fine",
      "waiting for the model |",
      "writing |",
      "waiting for the model |",
    ]);
    expect(notes).toEqual([
      { kind: "said", text: "I look" },
      { kind: "begun", work: { doing: "running", subject: "npm test" } },
      {
        kind: "ended",
        work: { doing: "running", subject: "npm test" },
        outcome: { state: "failed", words: "exit 2", durationMs: 1_200 },
      },
    ]);
    expect(activity.unsaid).toBe("Done.");
  });

  test("F32: a turn that waits for its thread says where in line", () => {
    const activity = new Activity();
    const now = (): string => `${activity.now.doing} ${activity.now.subject}`;
    expect(activity.observe({ type: "turn.queued", position: 2, running: null })).toHaveLength(1);
    expect(now()).toBe("waiting for the thread place 2 in line");
    activity.observe({ type: "turn.queued", position: 1, running: null });
    expect(now()).toBe("waiting for the thread next in line");
    activity.observe({ type: "turn.started", turnId: "u" });
    expect(now()).toBe("waiting for the model ");
  });

  test("a warning is told once, and a failure only while it is tried again", () => {
    const activity = new Activity();
    const error = {
      message: "gone",
      codexErrorInfo: null,
      additionalDetails: null,
      misalignment: null,
    };
    const events: TurnEvent[] = [
      { type: "warning", message: "w" },
      { type: "warning", message: "w" },
      { type: "error", error, willRetry: true },
      { type: "error", error, willRetry: false },
    ];
    expect(events.flatMap((event) => activity.observe(event))).toEqual([
      { kind: "warning", text: "w" },
      { kind: "warning", text: "gone; trying again" },
    ]);
  });

  test("a message without end is not kept without end", () => {
    const activity = new Activity();
    for (let count = 0; count < 1_000; count += 1) {
      activity.observe({ type: "message.delta", itemId: "m", delta: "0123456789" });
    }
    expect(activity.tail.length).toBeLessThanOrEqual(4_000);
    expect(activity.tail.endsWith("0123456789")).toBe(true);
  });

  test.each([
    [
      { type: "fileChange", status: "completed", changes: [{ path: "a" }, { path: "b" }] },
      "editing a, b: changed 2 files",
    ],
    [
      { type: "mcpToolCall", server: "s", tool: "t", status: "failed", durationMs: 5 },
      "calling s.t: failed",
    ],
    [{ type: "webSearch", query: "q" }, "searching q: done"],
    [{ ...command, status: "declined", exitCode: null }, "running npm test: declined"],
    [{ ...command, status: "completed", exitCode: null }, "running npm test: done"],
  ])("%j", (facts, words) => {
    const [note] = new Activity().observe(item("completed", facts));
    if (note?.kind !== "ended") throw new Error("it leaves no trace");
    expect(`${note.work.doing} ${note.work.subject}: ${note.outcome.words}`).toBe(words);
  });

  test("an item of an unknown kind is nothing to speak of", () => {
    expect(new Activity().observe(item("completed", { type: "somethingNew" }))).toEqual([]);
  });
});

describe("a command without the shell around it", () => {
  test.each([
    ["/bin/bash -lc 'echo hi'", "echo hi"],
    [
      "\"C:\\\\windows\\\\system32\\\\WindowsPowershell\\\\v1.0\\\\powershell.exe\" -NoProfile -Command 'echo hi'",
      "echo hi",
    ],
    [String.raw`"C:\Program Files\PowerShell\7\pwsh.exe" -Command 'Get-Item x'`, "Get-Item x"],
    [`/bin/bash -c 'echo '\\''a b'\\'''`, "echo 'a b'"],
    [`/bin/zsh -lc "echo \\"x\\" a"`, `echo "x" a`],
    ["/bin/sh -c ls", "ls"],
    [`/bin/bash -lc "echo $HOME"`, `"echo $HOME"`],
    ["/bin/bash -lc 'a' 'b'", "'a' 'b'"],
    ["npm test", "npm test"],
  ])("%s", (command, script) => {
    expect(withoutShell(command)).toBe(script);
  });

  test.each([
    "/tmp/evil/bash -lc 'npm test'",
    "./bash -lc 'npm test'",
    "bash -lc 'npm test'",
    "/bin/shx -c 'npm test'",
    String.raw`C:\evil\powershell.exe -Command 'npm test'`,
    String.raw`C:\evil\windows\system32\WindowsPowerShell\v1.0\powershell.exe -Command x`,
    "pwsh.exe -Command 'npm test'",
  ])("is shown whole where the shell can be anybody's program: %s (F178)", (command) => {
    expect(withoutShell(command)).toBe(command);
  });
});

test("F84: a sandbox that could not be set up is told once, as that", () => {
  const activity = new Activity();
  const failed = { ...command, status: "failed", exitCode: 1, durationMs: 0 };
  const aggregatedOutput = "bwrap: Creating new namespace failed\n";
  const kinds = (facts: object): string[] =>
    activity.observe(item("completed", { ...failed, ...facts })).map(({ kind }) => kind);
  expect(kinds({ aggregatedOutput })).toEqual(["ended", "warning"]);
  expect(kinds({ aggregatedOutput })).toEqual(["ended"]);
  expect(kinds({ aggregatedOutput: "what is bwrap: a tool\n" })).toEqual(["ended"]);
});
