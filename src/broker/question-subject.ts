import { isRecord } from "../wire/messages.ts";

/** `status` shows it in a line. */
const LONGEST = 200;

/** Members of a question that name what it is about, the most telling one first. */
const SUBJECTS = ["command", "message", "tool", "grantRoot", "reason"];

/** Returns the command, the message or the tool that a question of Codex is about. */
export function subjectOf(params: unknown): string | null {
  if (!isRecord(params)) return null;
  const questions = params["questions"];
  const first: unknown = Array.isArray(questions) ? questions[0] : undefined;
  const named = [
    ...SUBJECTS.map((name) => params[name]),
    isRecord(first) ? first["question"] : undefined,
  ];
  const texts = named.map((value) => (Array.isArray(value) ? value.join(" ") : value));
  const subject = texts.find((value) => typeof value === "string" && value !== "");
  return typeof subject === "string" ? cut(subject) : null;
}

/** Half a character at the end is cut, too. */
function cut(text: string): string {
  if (text.length <= LONGEST) return text;
  return `${text.slice(0, LONGEST).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
