import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NODES } from "../../scripts/nodes/lines.mjs";

const folder = ".github/workflows";
const workflows = readdirSync(folder).map((name) => ({
  name,
  text: readFileSync(join(folder, name), "utf8"),
}));

test("every action is pinned by the hash of a commit, one per version", () => {
  const uses = workflows.flatMap(({ text }) => [...text.matchAll(/uses: *(.*)$/gm)]);
  expect(uses.length).toBeGreaterThan(3);
  const pinned = new Map<string, string>();
  for (const [, what = ""] of uses) {
    const [, action, hash] = /^(\S+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$/.exec(what) ?? [what];
    expect({ what, hash }).toEqual({ what, hash: expect.any(String) });
    expect(pinned.get(action!) ?? hash).toBe(hash);
    pinned.set(action!, hash!);
  }
});

test("nothing is permitted but what a job says", () => {
  for (const { name, text } of workflows) {
    expect(text).toMatch(/^permissions: \{\}$/m);
    expect(text).not.toMatch(/pull_request_target|: write-all|secrets\./);
    const writes = [...text.matchAll(/^ +(\S+): write$/gm)].map(([, what]) => what);
    expect({ name, writes }).toEqual({ name, writes: name === "publish.yml" ? ["id-token"] : [] });
  }
});

test("the Nodes are those that are tested here, and the oldest is the one that package.json promises", () => {
  const { text } = workflows.find(({ name }) => name === "ci.yml")!;
  expect(text).toContain(`node: [${NODES.join(", ")}]`);
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as {
    engines: { node: string };
  };
  expect(NODES[0]).toBe(`${engines.node.replace(">=", "")}.0`);
});
