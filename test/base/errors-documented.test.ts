import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BrokerError, ERROR_KINDS } from "../../src/base/errors.ts";

/** What docs/errors.md must say first under the heading of a kind. */
function factsOf(error: BrokerError): string {
  const again = error.retryable
    ? "may succeed when tried again"
    : "fails again until something changes";
  return `\`${error.code}\` on the wire · exit code ${error.exitCode} · ${again}\n\n${error.hint}`;
}

const sections = readFileSync("docs/errors.md", "utf8")
  .split(/^## /m)
  .slice(1)
  .map((section) => {
    const [heading = "", ...rest] = section.split("\n");
    return { kind: heading.trim().replaceAll("`", ""), text: rest.join("\n").trim() };
  });

test("every kind of error has its heading in docs/errors.md, and no other has one", () => {
  expect(sections.map(({ kind }) => kind)).toEqual([...ERROR_KINDS]);
});

test.each([...ERROR_KINDS])("docs/errors.md states the facts of %s", (kind) => {
  const text = sections.find((section) => section.kind === kind)?.text ?? "";
  const wanted = factsOf(new BrokerError(kind, ""));
  expect(text.slice(0, wanted.length)).toBe(wanted);
});

test("no two kinds share a code on the wire", () => {
  const codes = ERROR_KINDS.map((kind) => new BrokerError(kind, "").code);
  expect(new Set(codes).size).toBe(codes.length);
});
