import type { v2 } from "../../app-server/generated/index.ts";
import { isSystemShell } from "../../policy/plain-words.ts";
import { decliningAnswer } from "../../wire/declining-answers.ts";
import { isRecord } from "../../wire/messages.ts";
import { withoutShell } from "../run/work.ts";
import type { Line } from "./dialogue.ts";

/** One way to answer, by one key. */
export interface Choice {
  readonly key: string;
  readonly label: string;
  readonly answer: unknown;
  readonly accepts: boolean;
}

/** A question that is answered by one key. */
export interface Card {
  readonly heading: string;
  readonly lines: readonly Line[];
  readonly choices: readonly Choice[];
}

/** What a person has to see to decide, and what they can answer; undefined where one key is not enough. */
export function cardOf(
  method: string,
  params: unknown,
  item: v2.ThreadItem | undefined,
): Card | undefined {
  if (!isRecord(params)) return undefined;
  switch (method) {
    case "item/commandExecution/requestApproval":
      return {
        heading:
          params["kind"] === "writeStdin"
            ? "Codex wants to type into a running program"
            : "Codex wants to run a command",
        lines: commandLines(params),
        choices: decisions("accept", "acceptForSession", "decline", "cancel"),
      };
    case "item/fileChange/requestApproval":
      return {
        heading: "Codex wants to change files",
        lines: fileLines(params, item),
        choices: decisions("accept", "acceptForSession", "decline", "cancel"),
      };
    case "item/permissions/requestApproval":
      return permissionsCard(params);
    case "execCommandApproval":
      return {
        heading: "Codex wants to run a command",
        lines: [...words(params["command"]), ...context(params)],
        choices: legacyDecisions(),
      };
    case "applyPatchApproval":
      return {
        heading: "Codex wants to change files",
        lines: [...json(params["fileChanges"]), ...context(params)],
        choices: legacyDecisions(),
      };
    case "mcpServer/elicitation/request":
      return elicitationCard(params, item);
    default:
      return undefined;
  }
}

/** Refuses in the shape that the method asks for; for those that have one. */
export function refusal(method: string): Choice {
  const answer = decliningAnswer(method);
  const body = "result" in answer ? answer.result : undefined;
  return { key: "d", label: "decline", answer: body, accepts: false };
}

/** The answer of an elicitation that is given up: the server is told that nobody decided. */
export const CANCELLED: Choice = {
  key: "c",
  label: "cancel",
  answer: { action: "cancel", content: null, _meta: null },
  accepts: false,
};

function decisions(once: unknown, session: unknown, decline: unknown, cancel: unknown): Choice[] {
  return [
    { key: "a", label: "accept once", answer: { decision: once }, accepts: true },
    { key: "s", label: "for the session", answer: { decision: session }, accepts: true },
    { key: "d", label: "decline", answer: { decision: decline }, accepts: false },
    { key: "c", label: "cancel the turn", answer: { decision: cancel }, accepts: false },
  ];
}

function legacyDecisions(): Choice[] {
  const denied = { denied: { rejection: "declined by the user" } };
  return decisions("approved", "approved_for_session", denied, "abort");
}

function commandLines(params: Record<string, unknown>): Line[] {
  const command = textOf(params["command"]);
  return [
    ...(command === undefined ? [] : plain(shownCommand(command))),
    ...context(params),
    ...extra("over the network", params["networkApprovalContext"]),
    ...extra("with", params["additionalPermissions"]),
  ];
}

/** Only a shell of the system goes without saying. */
function shownCommand(command: string): string {
  return isSystemShell(command.split(" ", 1)[0] ?? "") ? withoutShell(command) : command;
}

function fileLines(params: Record<string, unknown>, item: v2.ThreadItem | undefined): Line[] {
  const root = textOf(params["grantRoot"]);
  const changes = item?.type === "fileChange" ? item.changes : undefined;
  return [
    ...context(params),
    ...(root === undefined ? [] : [aside(`and to write under ${root} from then on`)]),
    ...(changes === undefined
      ? [aside("what it would change was not told")]
      : changes.flatMap((change) => changeLines(change))),
  ];
}

function changeLines({ path, kind, diff }: v2.FileUpdateChange): Line[] {
  const to = kind.type === "update" && kind.move_path !== null ? ` to ${kind.move_path}` : "";
  const lines = diff.replace(/\n$/, "").split("\n");
  return [
    { text: `${kind.type} ${path}${to}` },
    ...lines.map((text): Line => {
      if (kind.type === "add") return { text: `+${text}`, look: "added" };
      if (kind.type === "delete") return { text: `-${text}`, look: "removed" };
      if (text.startsWith("+")) return { text, look: "added" };
      if (text.startsWith("-")) return { text, look: "removed" };
      return text.startsWith("@@") ? aside(text) : { text };
    }),
  ];
}

function permissionsCard(params: Record<string, unknown>): Card {
  const wanted = isRecord(params["permissions"]) ? params["permissions"] : {};
  const permissions = Object.fromEntries(
    Object.entries(wanted).filter(([, value]) => value !== null),
  );
  const [once, session] = [
    { permissions, scope: "turn" },
    { permissions, scope: "session" },
  ];
  return {
    heading: "Codex wants more permissions",
    lines: [...json(permissions), ...context(params)],
    choices: [
      { key: "a", label: "accept for this turn", answer: once, accepts: true },
      { key: "s", label: "for the session", answer: session, accepts: true },
      refusal("item/permissions/requestApproval"),
    ],
  };
}

function elicitationCard(
  params: Record<string, unknown>,
  item: v2.ThreadItem | undefined,
): Card | undefined {
  const { _meta: meta, mode } = params;
  const server = String(params["serverName"]);
  const refusals = [refusal("mcpServer/elicitation/request"), CANCELLED];
  if (item?.type === "mcpToolCall" && isRecord(meta)) {
    const forSession = Array.isArray(meta["persist"]) && meta["persist"].includes("session");
    return {
      heading: "Codex wants to call an MCP tool",
      lines: [{ text: `${server} / ${item.tool}` }, ...json(item.arguments)],
      choices: [
        accepting("a", "accept once", null),
        ...(forSession ? [accepting("s", "for the session", { persist: "session" })] : []),
        ...refusals,
      ],
    };
  }
  if (mode !== "url") return undefined;
  return {
    heading: "An MCP server asks you to open a page",
    lines: [
      { text: server },
      ...plain(textOf(params["message"]) ?? ""),
      { text: String(params["url"]) },
    ],
    choices: [accepting("a", "agree", null), ...refusals],
  };
}

function accepting(key: string, label: string, meta: unknown): Choice {
  return { key, label, answer: { action: "accept", content: null, _meta: meta }, accepts: true };
}

function context(params: Record<string, unknown>): Line[] {
  const cwd = textOf(params["cwd"]);
  const reason = textOf(params["reason"]);
  return [
    ...(cwd === undefined ? [] : [aside(`in ${cwd}`)]),
    ...(reason === undefined ? [] : [aside(`because: ${reason}`)]),
  ];
}

function extra(what: string, value: unknown): Line[] {
  return isRecord(value) ? [aside(`${what} ${JSON.stringify(value)}`)] : [];
}

function words(value: unknown): Line[] {
  return Array.isArray(value) ? [{ text: value.map(String).join(" ") }] : [];
}

function json(value: unknown): Line[] {
  return plain(JSON.stringify(value ?? {}, null, 2));
}

function plain(text: string): Line[] {
  return text.split("\n").map((line) => ({ text: line }));
}

function aside(text: string): Line {
  return { text, look: "aside" };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
