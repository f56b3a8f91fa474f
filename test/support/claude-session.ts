import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

/** A session of Claude Code. */
export interface ClaudeSession {
  readonly id: string;
  readonly file: string;
}

/** Where Claude Code keeps the sessions of a directory. */
export function projectOf(world: World, directory: string): string {
  return join(world.home.path, ".claude", "projects", directory.replace(/[^A-Za-z0-9]/g, "-"));
}

/** One line of its file. */
export function said(id: string, cwd: string, role: "user" | "assistant", text: string): string {
  const content = role === "user" ? text : [{ type: "text", text }];
  return `${JSON.stringify({
    type: role,
    sessionId: id,
    cwd,
    isSidechain: false,
    userType: "external",
    version: "2.0.0",
    uuid: randomUUID(),
    timestamp: new Date().toISOString(),
    message: { role, content },
  })}\n`;
}

/** A made-up session in which something was asked and answered. */
export function makeSession(world: World, question: string, cwd = world.workspace): ClaudeSession {
  const id = randomUUID();
  const project = projectOf(world, cwd);
  mkdirSync(project, { recursive: true });
  const file = join(project, `${id}.jsonl`);
  const lines = [said(id, cwd, "user", question), said(id, cwd, "assistant", "Understood.")];
  writeFileSync(file, lines.join(""));
  return { id, file };
}
