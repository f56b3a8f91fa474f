import { BrokerError } from "../base/errors.ts";
import type { OlderTurn } from "../lifecycle/older-brokers.ts";
import type { ThreadWriter } from "./thread-writer.ts";

/**
 * Codex lets one app-server at a time write to a thread.
 *
 * @param writer the process that does, where that can be known.
 */
export function threadHeldElsewhere(
  threadId: string,
  older: OlderTurn | undefined,
  writer: ThreadWriter | undefined,
): BrokerError {
  if (older === undefined) return heldByAnother(threadId, writer);
  const { epoch, turn } = older;
  return new BrokerError(
    "threadBusy",
    `Thread ${turn.threadId} is running a turn in epoch ${epoch}, which this broker has superseded.`,
    {
      details: { threadId: turn.threadId, turnId: turn.turnId, epoch, ageMs: turn.ageMs },
      hint: "Wait until it has ended, or send `turn/interrupt`: it is passed on. `codex-broker ps` shows both.",
    },
  );
}

function heldByAnother(threadId: string, writer: ThreadWriter | undefined): BrokerError {
  const hint = "Close it there, or wait until it has ended; then send `thread/resume` again.";
  if (writer === undefined) {
    const message = `Thread ${threadId} is in use by a Codex that is not this broker's.`;
    return new BrokerError("threadBusy", message, { details: { threadId }, hint });
  }
  const { pid, program, epoch } = writer;
  if (epoch !== null) {
    return new BrokerError(
      "threadBusy",
      `Thread ${threadId} is held by the app-server (process ${pid}) of epoch ${epoch}, which this broker has superseded.`,
      {
        details: { threadId, writer },
        hint: "One that has stopped is ended within 90 s: send `thread/resume` again then. `codex-broker ps` shows it.",
      },
    );
  }
  return new BrokerError(
    "threadBusy",
    `Thread ${threadId} is in use by process ${pid} (${program}), which is not this broker's.`,
    {
      details: { threadId, writer },
      hint: `${hint} \`ps -fp ${pid}\` shows what it is; if \`codex-broker ps\` has its parent, it is the app-server of another broker.`,
    },
  );
}
