import type { v2 } from "../../app-server/generated/index.ts";
import { grouped } from "../output/amounts.ts";

/** `1,234 tokens in, 56 out`: of the whole thread, as Codex counts. Empty when it has not counted. */
export function usageText(usage: v2.ThreadTokenUsage | null): string {
  if (usage === null) return "";
  const { inputTokens, outputTokens } = usage.total;
  return `${grouped(inputTokens)} tokens in, ${grouped(outputTokens)} out`;
}
