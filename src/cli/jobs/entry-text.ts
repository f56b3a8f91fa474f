import type { v2 } from "../../app-server/generated/index.ts";
import type { JobEntry } from "../../jobs/job-entry.ts";
import { isRecord } from "../../wire/messages.ts";
import { wishOf } from "../run/wish.ts";
import { usageText } from "../run/usage-text.ts";
import { outcomeOf, workOf } from "../run/work.ts";
import { duration } from "../output/amounts.ts";

/** What an entry of a journal tells, for people: a word for what it is, and the rest. Foreign text. */
export function entryText(entry: JobEntry): readonly [what: string, text: string] {
  switch (entry.type) {
    case "created": {
      const { kind, title, prompt } = entry.request;
      const asked = title ?? (typeof prompt === "string" ? prompt : kind);
      return ["asked", `${asked} (epoch ${entry.epoch}, codex-broker ${entry.version})`];
    }
    case "started": {
      const { model, cwd } = entry.resolved;
      return ["began", `thread ${entry.threadId} (${model ?? "?"}, in ${cwd ?? "?"})`];
    }
    case "item":
      return itemText(entry.item);
    case "allowed":
      return ["allowed", wishOf(entry.method, entry.params)];
    case "usage":
      return ["usage", usageText(entry.usage as v2.ThreadTokenUsage)];
    case "ended": {
      const why = isRecord(entry.error) ? `: ${String(entry.error["message"])}` : "";
      return ["ended", `${entry.outcome}${why}`];
    }
  }
}

function itemText(item: unknown): readonly [string, string] {
  if (!isRecord(item)) return ["item", ""];
  const { type, text, review } = item;
  if (type === "agentMessage") return ["message", String(text)];
  if (type === "exitedReviewMode") return ["review", String(review)];
  const known = item as v2.ThreadItem;
  const [work, outcome] = [workOf(known), outcomeOf(known)];
  if (work === undefined || outcome === undefined) return [String(type), ""];
  const time = outcome.durationMs === null ? "" : ` in ${duration(outcome.durationMs)}`;
  return [work.doing, `${work.subject}: ${outcome.words}${time}`];
}
