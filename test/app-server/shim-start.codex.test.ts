import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { locateCodex } from "../../src/app-server/locate.ts";
import { startAppServer } from "../../src/app-server/start.ts";
import { stopAppServer } from "../../src/app-server/stop-ladder.ts";
import { Deadline } from "../../src/base/deadline.ts";
import { neutralDirectory } from "../../src/os/neutral-directory.ts";
import { makeCodexHome } from "../support/codex-home.ts";
import { readProcess } from "../../src/os/process-tree.ts";
import { guardAgainstLeaks } from "../support/leak-guard.ts";
import { realCodex } from "../support/real-codex.ts";
import { startScriptedModel } from "../support/scripted-model.ts";
import { makeTempDir, type TempDir } from "../support/temp-dir.ts";
import { ON_WINDOWS } from "../support/wine.ts";
import { npmCmd } from "./shims.ts";

guardAgainstLeaks();

let dir: TempDir;
// On the drive that has codex: a shim names it from where it lies itself.
beforeEach(async () => void (dir = await makeTempDir(process.cwd())));
afterEach(() => dir.remove());

test.skipIf(!ON_WINDOWS)(
  "F73 F75 F76: where PATH has only npm's codex.cmd, codex.exe itself is started, and no shell",
  async () => {
    const bin = join(dir.path, "with blanks");
    mkdirSync(bin);
    writeFileSync(join(bin, "codex.cmd"), npmCmd(relative(bin, realCodex().launcher)));
    const found = locateCodex({ env: { PATH: bin } });
    expect(found).toMatchObject({ path: realCodex().native, source: "path", native: true });

    await using model = await startScriptedModel();
    await using home = await makeCodexHome({ modelUrl: model.url });
    const started = await startAppServer({
      codex: found.path,
      cwd: neutralDirectory(),
      env: { ...process.env, CODEX_HOME: home.path },
      maxLineBytes: 1024 * 1024,
      deadline: Deadline.after(20_000),
      onLine() {},
      onFault() {},
    });
    expect(started.version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(readProcess(started.child.pid ?? 0)?.ppid).toBe(process.pid);
    expect(await stopAppServer(started.child)).toMatchObject({ endedBy: "stdin" });
  },
);
