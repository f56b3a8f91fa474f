import { expect, test } from "vitest";
import { renderLogLine } from "../../../src/cli/log/log-line.ts";
import { Output } from "../../../src/cli/output/output.ts";

const plain = new Output(() => Object.assign(process.stdout, {}));
const render = (entry: object | string): string =>
  renderLogLine(typeof entry === "string" ? entry : JSON.stringify(entry), 7, plain);

test("an entry is one line: time, level, event, facts", () => {
  const entry = {
    level: 40,
    time: "2026-01-02T03:04:05.006Z",
    pid: 7,
    epoch: 3,
    event: "a.b",
    n: 1,
    o: { p: "q" },
  };
  expect(render(entry)).toMatch(/^\d\d:04:05\.006 warn {2}a\.b n=1 o=\{"p":"q"\}$/);
});

test("a pid that is not the broker's is shown", () => {
  expect(render({ level: 30, time: 0, pid: 8, event: "e" })).toContain(" pid=8");
});

test("a stack is shown in its lines", () => {
  expect(
    render({ level: 50, time: 0, event: "e", stack: "E: x\n  at y" }).split("\n"),
  ).toHaveLength(3);
});

test.each(["no JSON", "{broken", "[1]"])("%s is shown as it is", (line) => {
  expect(render(line)).toBe(line);
});

test("nothing in it can move the cursor", () => {
  expect(render({ level: 30, time: "x", event: "e\u001b[2J", a: "\u001b\n" })).toBe(
    "??:??:??.??? info  e\\x1b[2J a=\\x1b",
  );
  expect(render("\u001b[2J")).toBe("\\x1b[2J");
});
