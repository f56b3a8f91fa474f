import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { serverRequests } from "../../src/app-server/generated/methods.ts";
import { BrokerError, ERROR_KINDS } from "../../src/base/errors.ts";
import { decliningAnswer } from "../../src/wire/declining-answers.ts";
import { sourceFiles } from "../project/source-imports.ts";

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const page = read("docs/protocol.md");

/** The methods in the first column of a section's table. */
function methodsUnder(heading: string): string[] {
  const section = page.split(/^## /m).find((each) => each.startsWith(heading)) ?? "";
  return [...section.matchAll(/^\| `(broker\/[\w/]+)`/gm)].map(([, method]) => method ?? "");
}

/** What is said by the name of `broker/…` anywhere in the sources. */
const spoken = new Set(
  sourceFiles().flatMap((file) =>
    [...read(`src/${file}`).matchAll(/["'`](broker\/[a-z][\w/]*)/gi)].map(([, name]) => name ?? ""),
  ),
);

test("docs/protocol.md names every request of ours, and no other", () => {
  const source = read("src/wire/broker-protocol.ts");
  const body = /interface BrokerRequests \{([^]*?)\n\}/.exec(source)?.[1] ?? "";
  const requests = [...body.matchAll(/^ {2}"(broker\/[\w/]+)"/gm)].map(([, name]) => name ?? "");
  expect(requests.length).toBeGreaterThan(4);
  expect(methodsUnder("Requests").toSorted()).toEqual(requests.toSorted());
});

test("docs/protocol.md names all that is said in a handshake", () => {
  const source = read("src/wire/broker-protocol.ts");
  for (const [name, marker] of [
    ["BrokerHelloParams", "| `initialize` |"],
    ["BrokerHello", "`result.broker`, in"],
  ] as const) {
    const body = new RegExp(`interface ${name} \\{([^]*?)\\n\\}`).exec(source)?.[1] ?? "";
    const members = [...body.matchAll(/^ {2}readonly (\w+\??):/gm)].map(([, each]) => each ?? "");
    const line = page.split("\n").find((each) => each.startsWith(marker));
    expect(members.length).toBeGreaterThan(3);
    for (const member of members) expect(line).toContain(`\`${member}\``);
  }
});

test("docs/protocol.md names every notification of ours, and no other", () => {
  const requests = new Set(methodsUnder("Requests"));
  const notifications = [...spoken].filter((method) => !requests.has(method));
  expect(notifications.length).toBeGreaterThan(2);
  expect(methodsUnder("Notifications").toSorted()).toEqual(notifications.toSorted());
});

test("docs/protocol.md names every kind of error with its code, and no other", () => {
  const rows = [...page.matchAll(/^\| `(\w+)` +\| (-\d+) +\|$/gm)].map(([, kind, code]) => [
    kind,
    Number(code),
  ]);
  expect(rows).toEqual(ERROR_KINDS.map((kind) => [kind, new BrokerError(kind, "").code]));
});

test("F65: docs/protocol.md says how each kind of question is declined", () => {
  for (const method of Object.keys(serverRequests)) {
    const row = page
      .split("\n")
      .find((line) => line.startsWith("|") && line.includes(`\`${method}\``));
    expect(row).toBeDefined();
    const answer = decliningAnswer(method);
    const body = JSON.stringify("result" in answer ? answer.result : answer.error.code);
    // Where it has a text or the time in it, the page has it in words.
    if (!/codex-broker:|currentTimeAt/.test(body)) expect(row).toContain(body);
  }
});
