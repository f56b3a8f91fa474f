import { Writable } from "node:stream";
import { WriteStream } from "node:tty";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LiveRows, type Row } from "../../../src/cli/output/live-rows.ts";
import { Output } from "../../../src/cli/output/output.ts";
import { Screen } from "../screen.ts";

const COLUMNS = 20;

/** An output to a screen, as far as live rows use one. */
function terminal(): { readonly to: Output; readonly screen: Screen } {
  const screen = new Screen(COLUMNS);
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      screen.write(text);
      done();
    },
  });
  const facts = { isTTY: true, columns: COLUMNS, rows: 10 };
  const tty = Object.setPrototypeOf(Object.assign(stream, facts), Writable.prototype) as object;
  return { to: new Output(() => tty as WriteStream), screen };
}

const row = (text: string): Row => ({ painted: `\u001b[2m${text}\u001b[22m`, plain: text });

test("rows are drawn over one another, below the lines that stay", () => {
  const { to, screen } = terminal();
  const rows = new LiveRows(to);
  rows.draw([row("status 1"), row("tail"), row("tail")]);
  rows.commit(["done: a"]);
  rows.draw([row("status 2")]);
  rows.draw([row("status 3"), row("more")]);
  expect(screen.lines).toEqual(["done: a", "status 3", "more"]);
  rows.clear();
  expect(screen.lines).toEqual(["done: a"]);
});

test("whatever is drawn and cleared, the lines that stay are what is left", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", " x"), minLength: 1, maxLength: 9 });
  const step = fc.oneof(
    fc.record({ draw: fc.array(text, { minLength: 1, maxLength: 4 }) }),
    fc.record({ commit: fc.array(text, { maxLength: 3 }) }),
    fc.constant({ clear: true }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const { to, screen } = terminal();
      const rows = new LiveRows(to);
      const stay: string[] = [];
      for (const step of steps) {
        if ("draw" in step) rows.draw(step.draw.map(row));
        else if ("commit" in step) {
          rows.commit(step.commit);
          stay.push(...step.commit);
        } else rows.clear();
      }
      rows.clear();
      expect(screen.lines).toEqual(stay.map((line) => line.trimEnd()));
    }),
  );
});
