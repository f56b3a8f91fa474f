import { shellWord } from "../../base/shell-word.ts";
import { provesUnused } from "../../lifecycle/evidence.ts";
import { finding, type Finding } from "../finding.ts";
import type { PluginBrokerSeen, PluginRecordSeen, PluginSeen } from "../plugin/plugin-broker.ts";

export function* diagnosePlugin({ brokers, records }: PluginSeen): Generator<Finding> {
  for (const seen of brokers) yield diagnoseBroker(seen);
  const told = new Set(brokers.map(({ record }) => record));
  for (const record of records) if (!told.has(record.path)) yield* diagnoseRecord(record);
}

function diagnoseBroker(seen: PluginBrokerSeen): Finding {
  const { broker, doubt, occupation, record, ageMs } = seen;
  const { pid } = broker.identity;
  const where = broker.cwd === null ? "" : ` for ${broker.cwd}`;
  const found = record === null ? "; no record leads to it any more" : "";
  const who = `The Codex plugin's own broker${where} (process ${pid}, ${age(ageMs)} old${found})`;
  const details = {
    pid,
    script: broker.script,
    socket: broker.socket,
    pidFile: broker.pidFile,
    cwd: broker.cwd,
    record,
    ageMs,
    occupation: occupation.state,
    why: occupation.why,
  };
  if (occupation.state === "busy") {
    return finding(
      "pluginBrokerBusy",
      `${who} is at work: ${occupation.why}.`,
      "It is left alone; look again when it is done.",
      { details },
    );
  }
  if (doubt !== undefined || occupation.state === "unknown") {
    const why = doubt ?? occupation.why;
    return finding(
      "pluginBrokerUnproven",
      `${who} is left alone: ${why}.`,
      `If you know that nothing runs in it: \`kill ${pid}\`.`,
      { details: { ...details, why } },
    );
  }
  const remedy = { kind: "endPluginBroker", broker } as const;
  const idle = `${who} is idle: ${occupation.why}`;
  if (record === null) {
    return finding(
      "pluginBrokerIdle",
      `${idle}. It never ends by itself.`,
      "`codex-broker doctor --fix` asks it to end.",
      { details, remedy },
    );
  }
  const keeping = `${idle}. The plugin ends it with its session, if it gets to that.`;
  return seen.ofWorkspace
    ? finding(
        "pluginBrokerKept",
        keeping,
        "`codex-broker doctor --fix` asks it to end; the plugin starts another one when it needs it.",
        { details, remedy },
      )
    : finding(
        "pluginBrokerKept",
        keeping,
        `To end it: \`codex-broker doctor --fix --cwd ${shellWord(String(broker.cwd))}\`.`,
        { details },
      );
}

function* diagnoseRecord({ path, pid, process, reached }: PluginRecordSeen): Generator<Finding> {
  // A broker that listens has its own finding. An attempt that failed otherwise proves nothing.
  if (reached !== "unknown" && !provesUnused(reached)) return;
  const who =
    process === "gone"
      ? "whose process is gone"
      : process === "other"
        ? `whose number (${String(pid)}) belongs to another process by now`
        : `whose process (${String(pid)}) does not listen where it says`;
  yield finding(
    "pluginRecordStale",
    `The Codex plugin's record ${path} names a broker ${who}.`,
    "Nothing needs to be done: the plugin replaces the record at its next use.",
    { details: { path, pid, process, reached } },
  );
}

function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
