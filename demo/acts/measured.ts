import { bytes } from "../../src/cli/output/amounts.ts";
import { time } from "../figures.ts";
import { processesOf } from "../left-behind.ts";
import type { Page, TableRow } from "../page.ts";
import type { PrivateWorld } from "../private-world.ts";
import { residentMemory } from "../resident-memory.ts";
import type { FirstClient } from "./first-client.ts";
import type { FoundWarm } from "./found-warm.ts";
import type { FourAtOnce } from "./four-at-once.ts";
import type { Killed } from "./killed.ts";

export async function measured(
  world: PrivateWorld,
  page: Page,
  first: FirstClient,
  four: FourAtOnce,
  warm: FoundWarm,
  replacedMs: number,
  { servedMs, status }: Killed,
): Promise<void> {
  page.title(6, "What was measured");
  const processes = await processesOf(world);
  const { pid, appServer } = status;
  const onlyOurs = processes?.every((one) => one.pid === pid || one.pid === appServer.pid);
  page.table([
    row("cold start", time(first.coldStartMs), "to the first answer"),
    row("warm connect, in process", time(warm.inProcessMs)),
    row("warm connect, new process", time(warm.wholeProcessMs), "Node's own start included"),
    row("one turn alone", time(four.aloneMs)),
    row("four turns at once", time(four.fourMs)),
    row("replaced", time(replacedMs), "until the successor has served a request"),
    row("killed", time(servedMs), "until the next client has been served"),
    ...(processes === undefined
      ? []
      : [
          row("processes", `${processes.length} `, onlyOurs ? "the broker and its app-server" : ""),
        ]),
    ...(await memoryRow("memory, broker", pid)),
    ...(appServer.pid === null ? [] : await memoryRow("memory, app-server", appServer.pid)),
  ]);
}

function row(label: string, figure: string, remark = ""): TableRow {
  const [value = "", unit = ""] = figure.split(" ");
  return { label, value, unit, remark };
}

async function memoryRow(label: string, pid: number): Promise<readonly TableRow[]> {
  const memory = await residentMemory(pid);
  if (memory === undefined) return [];
  const { ownBytes } = memory;
  const remark = ownBytes === undefined ? "" : `${bytes(ownBytes)} of it private`;
  return [row(label, bytes(memory.bytes), remark)];
}
