import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Ids } from "../../scripts/generate/ids.mjs";
import { Protocol } from "../../scripts/generate/protocol.mjs";
import { makeTempDir } from "../support/temp-dir.ts";

/** What the generator makes of a message with these params. */
async function idsOf(method: string, types: Readonly<Record<string, string>>): Promise<Ids> {
  await using dir = await makeTempDir();
  await mkdir(join(dir.path, "v2"));
  const write = (path: string, text: string): Promise<void> =>
    writeFile(join(dir.path, path), `${text}\n`);
  await write("RequestId.ts", "export type RequestId = string | number;");
  for (const [name, type] of Object.entries(types)) {
    const imports = type.includes("RequestId")
      ? 'import type { RequestId } from "../RequestId";\n'
      : "";
    await write(`v2/${name}.ts`, `${imports}export type ${name} = ${type};`);
  }
  const ids = new Ids(new Protocol(dir.path));
  ids.add(method, "v2.Params");
  return ids;
}

describe("the generator fails (F108)", () => {
  test.each([
    ["an id that it has no rule for", { Params: "{ widgetId: string, }" }, "widgetId"],
    ["a list of such", { Params: "{ widgetIds: Array<string>, }" }, "widgetIds"],
    ["a handle, a token, a key", { Params: "{ widgetHandle?: string | null, }" }, "widgetHandle"],
    [
      "an id somewhere inside",
      { Params: "{ data: Array<Inner> | null, }", Inner: '{ "deep": { otherToken: string } }' },
      "data.deep.otherToken",
    ],
    [
      "an id in one of several shapes",
      { Params: '{ "type": "a" } | { "type": "b", otherKey: string }' },
      "otherKey",
    ],
    ["whatever has the type of a request id", { Params: "{ of: RequestId | null, }" }, "of"],
    [
      "a request id where none is exchanged",
      { Params: "{ a: { requestId: RequestId } }" },
      "a.requestId",
    ],
    [
      "a handle where none is exchanged",
      { Params: "{ inner: { watchId: string } }" },
      "inner.watchId",
    ],
    ["a handle in another method", { Params: "{ processHandle: string }" }, "processHandle"],
  ])("on %s", async (_what, types, path) => {
    await expect(idsOf("some/method", types)).rejects.toThrow(
      `some/method: no rule in scripts/generate/ids.mjs says what ${path} names`,
    );
  });

  test("on a rule that says nothing of any message", async () => {
    const ids = await idsOf("some/method", { Params: "{ threadId: string }" });
    expect(() => ids.table()).toThrow(/ has a |no message has a /);
  });
});

test("the generator takes what every connection calls the same (F108)", async () => {
  const params = "{ threadId: string, turnIds: boolean | null, cursor: string | null }";
  await expect(
    idsOf("some/method", { Params: params.replace("turnIds", "itemIds") }),
  ).resolves.toBeInstanceOf(Ids);
});
