import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { identityOf, livenessOf } from "../../src/os/process-identity.ts";
import { eventually } from "../support/eventually.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { makeWorld } from "../support/world.ts";

guardAgainstLeaks();

const SERVER = fileURLToPath(new URL("../fixtures/mcp-with-orphan.mjs", import.meta.url));

test.skipIf(!ON_WINDOWS).each(["broker", "appServer"] as const)(
  "S4 F18 F76: on Windows a killed %s leaves nothing of what Codex had started, orphans included",
  async (victim) => {
    await using world = await makeWorld();
    const file = join(world.workspace, "pids.json");
    await world.home.configure({
      modelUrl: world.model.url,
      trusted: [world.workspace],
      tables: [
        "[mcp_servers.odd]",
        `command = ${JSON.stringify(process.execPath)}`,
        `args = ${JSON.stringify([SERVER, file])}`,
      ].join("\n"),
    });
    const client = await world.connect();
    const status = await client.status();
    client.runTurn({ prompt: "silence" }).result.catch(() => {});
    await eventually(() => existsSync(file), "the MCP server is started");
    const started = JSON.parse(readFileSync(file, "utf8")) as { server: number; orphan: number };
    const pids = { broker: status.pid, appServer: status.appServer.pid ?? 0, ...started };
    const all = Object.entries(pids).map(([who, pid]) => ({ who, identity: identityOf(pid) }));
    expect(all.filter(({ identity }) => livenessOf(identity) !== "alive")).toEqual([]);

    process.kill(pids[victim], "SIGKILL");
    await client.closed;
    for (const { who, identity } of all) {
      await eventually(() => livenessOf(identity) === "gone", `${who} ends`);
    }
  },
);
