import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { neutralDirectory } from "../../src/os/neutral-directory.ts";
import { at } from "../support/json.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { spawnLines } from "./fixture-child.ts";

guardAgainstLeaks();

const PROGRAM = fileURLToPath(new URL("../fixtures/console.mjs", import.meta.url));

test.skipIf(!ON_WINDOWS)(
  "F77: an app-server has a console that nobody sees, and what it starts shares that",
  async () => {
    const { child, seen } = spawnLines({
      codex: process.execPath,
      args: [PROGRAM],
      env: process.env,
      cwd: neutralDirectory(),
    });
    const first = await seen((message) => at(message, "pid") === child.pid);
    expect(first).toMatchObject({ hasConsole: true, visible: false, sharedBy: [child.pid] });
    const second = await seen((message) => at(message, "pid") !== child.pid);
    expect(second).toMatchObject({ hasConsole: true, visible: false });
    expect(at(second, "sharedBy")).toContain(child.pid);
    await child.exited;
  },
);
