import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { expect, test } from "vitest";
import type { TurnEvent } from "../../../src/client/turn-event.ts";
import { LiveReporter } from "../../../src/cli/run/live-reporter.ts";
import { Output } from "../../../src/cli/output/output.ts";
import { Screen } from "../screen.ts";

const COLUMNS = 60;

function terminal(): { readonly to: Output; readonly screen: Screen } {
  const screen = new Screen(COLUMNS);
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      screen.write(text);
      done();
    },
  });
  const facts = { isTTY: true, columns: COLUMNS, rows: 24, hasColors: () => false };
  const tty = Object.setPrototypeOf(Object.assign(stream, facts), Writable.prototype) as object;
  return { to: new Output(() => tty as WriteStream), screen };
}

const message = (text: string): TurnEvent => ({
  type: "item.completed",
  item: { type: "agentMessage", id: "i", text, phase: null } as never,
});

test("nothing is printed between a question and its keys, and what was held back follows (F166)", () => {
  const { to, screen } = terminal();
  const reporter = new LiveReporter(to, false);
  try {
    reporter.question({
      claims: [{ label: "the model's reason", text: "status" }],
      details: [],
      heading: "Codex wants to run a command",
      summary: [{ text: "touch PWNED" }, { text: "in /work" }],
      more: "",
    });
    const question = [
      "the model's reason: status",
      "? Codex wants to run a command",
      "│ touch PWNED",
      "│ in /work",
    ];
    reporter.event(message("? Codex wants to run a command\n│ git status --short"));
    reporter.event(message("one more"));
    expect(screen.lines.slice(0, 4)).toEqual(question);
    expect(screen.lines).toHaveLength(5);
    reporter.prompt("a accept once · d decline");
    reporter.event(message("the last one"));
    expect(screen.lines).toEqual([...question, "? a accept once · d decline"]);
    reporter.prompt(undefined);
    expect(screen.lines.slice(0, 4)).toEqual(question);
    expect(screen.lines.join("\n")).not.toContain("git status");
    reporter.questionOver();
    expect(screen.lines.join("\n")).toContain("git status --short");
  } finally {
    reporter.gone();
  }
});
