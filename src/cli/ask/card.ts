import type { v2 } from "../../app-server/generated/index.ts";
import { isSystemShell } from "../../policy/plain-words.ts";
import { decliningAnswer } from "../../wire/declining-answers.ts";
import { isRecord } from "../../wire/messages.ts";
import { withoutShell } from "../run/work.ts";
import type { Claim, Line } from "./dialogue.ts";
import type { PageContent } from "./pages.ts";

/** One way to answer, by one key. */
export interface Choice {
  readonly key: string;
  readonly label: string;
  readonly answer: unknown;
  readonly accepts: boolean;
}

/** A question that is answered by one key. */
export interface Card extends PageContent {
  readonly choices: readonly Choice[];
  /** Whether the details may be skipped: the summary alone says what would be done. */
  readonly skippable: boolean;
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
      return commandCard(params, item);
    case "item/fileChange/requestApproval":
      return fileCard(params, item);
    case "item/permissions/requestApproval":
      return permissionsCard(params);
    case "execCommandApproval":
      return {
        ...plainCard("Codex wants to run a command", params),
        summary: [...words(params["command"]), ...place(params)],
        choices: legacyDecisions(),
      };
    case "applyPatchApproval":
      return {
        ...plainCard("Codex wants to change files", params),
        summary: [{ text: filesOf(params["fileChanges"]) }, ...place(params)],
        details: json(params["fileChanges"]),
        choices: legacyDecisions(),
        skippable: true,
      };
    case "mcpServer/elicitation/request":
      return elicitationCard(params, item);
    default:
      return undefined;
  }
}

/** The parts that most cards share. The reason is the model's own text, and so only a claim. */
function plainCard(heading: string, params: Record<string, unknown>): Omit<Card, "choices"> {
  return {
    heading,
    claims: claim("the model's reason", params["reason"]),
    summary: [],
    details: [],
    skippable: false,
  };
}

function claim(label: string, text: unknown): readonly Claim[] {
  const claimed = textOf(text);
  return claimed === undefined ? [] : [{ label, text: claimed }];
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

function commandCard(params: Record<string, unknown>, item: v2.ThreadItem | undefined): Card {
  const command = textOf(params["command"]);
  const isInput = params["kind"] === "writeStdin";
  const running = item?.type === "commandExecution" ? item : undefined;
  return {
    ...plainCard(
      isInput ? "Codex wants to type into a running program" : "Codex wants to run a command",
      params,
    ),
    summary: [
      { text: command === undefined ? "a command that Codex did not name" : shownCommand(command) },
      ...(isInput ? [{ text: inputTarget(running) }] : []),
      ...place(params),
      ...extra("over the network", params["networkApprovalContext"]),
      ...extra("with", params["additionalPermissions"]),
    ],
    choices: decisions("accept", "acceptForSession", "decline", "cancel"),
  };
}

function inputTarget(running: Extract<v2.ThreadItem, { type: "commandExecution" }> | undefined) {
  if (running === undefined) return "into a program that Codex did not name";
  const id = running.processId === null ? "" : ` (process ${running.processId} of Codex)`;
  return `into: ${shownCommand(running.command)}${id}`;
}

/** The shell is left out only where it is a shell of the system. */
function shownCommand(command: string): string {
  return isSystemShell(command.split(" ", 1)[0] ?? "") ? withoutShell(command) : command;
}

function fileCard(params: Record<string, unknown>, item: v2.ThreadItem | undefined): Card {
  const root = textOf(params["grantRoot"]);
  const changes = item?.type === "fileChange" ? item.changes : undefined;
  return {
    ...plainCard("Codex wants to change files", params),
    summary: [
      { text: changes === undefined ? "files that Codex did not name" : changedFiles(changes) },
      ...place(params),
      ...(root === undefined ? [] : [{ text: `and to write under ${root} from then on` }]),
    ],
    details: (changes ?? []).flatMap((change) => changeLines(change)),
    choices: decisions("accept", "acceptForSession", "decline", "cancel"),
    skippable: true,
  };
}

/** Names every file with what happens to it: `update a, add b, delete c`. */
export function changedFiles(changes: readonly v2.FileUpdateChange[]): string {
  return changes.map(changedFile).join(", ");
}

function changedFile({ path, kind }: v2.FileUpdateChange): string {
  const to = kind.type === "update" && kind.move_path !== null ? ` to ${kind.move_path}` : "";
  return `${kind.type} ${path}${to}`;
}

function filesOf(changes: unknown): string {
  return isRecord(changes) ? Object.keys(changes).join(", ") : "files that Codex did not name";
}

function changeLines(change: v2.FileUpdateChange): Line[] {
  const { kind, diff } = change;
  const lines = diff.replace(/\n$/, "").split("\n");
  return [
    { text: changedFile(change) },
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
    ...plainCard("Codex wants more permissions", params),
    summary: [{ text: JSON.stringify(permissions) }, ...place(params)],
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
      ...plainCard("Codex wants to call an MCP tool", {}),
      summary: [{ text: `${server} / ${item.tool}` }],
      details: json(item.arguments),
      choices: [
        accepting("a", "accept once", null),
        ...(forSession ? [accepting("s", "for the session", { persist: "session" })] : []),
        ...refusals,
      ],
    };
  }
  if (mode !== "url") return undefined;
  return {
    ...plainCard("An MCP server asks you to open a page", {}),
    claims: claim("the server's message", params["message"]),
    summary: [{ text: String(params["url"]) }, { text: `for the MCP server ${server}` }],
    choices: [accepting("a", "agree", null), ...refusals],
  };
}

function accepting(key: string, label: string, meta: unknown): Choice {
  return { key, label, answer: { action: "accept", content: null, _meta: meta }, accepts: true };
}

/** Where it would happen. The local environment goes without saying. */
function place(params: Record<string, unknown>): Line[] {
  const cwd = textOf(params["cwd"]);
  const environment = textOf(params["environmentId"]);
  return [
    ...(cwd === undefined ? [] : [{ text: `in ${cwd}` }]),
    ...(environment === undefined || environment === "local"
      ? []
      : [{ text: `in the environment ${environment}` }]),
  ];
}

function extra(what: string, value: unknown): Line[] {
  return isRecord(value) ? [{ text: `${what} ${JSON.stringify(value)}` }] : [];
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
