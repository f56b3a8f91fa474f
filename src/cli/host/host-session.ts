import { shellQuoted } from "../../base/shell-word.ts";

/**
 * What the session of a host (Claude Code) has told its shells about itself. The names begin so that
 * they do not count as something that changes what Codex does.
 */
const SESSION = "CODEX_BROKER_HOST_SESSION";
const TRANSCRIPT = "CODEX_BROKER_HOST_TRANSCRIPT";

/** The session that this command was typed in; undefined where there is none. */
export function hostSession(env: NodeJS.ProcessEnv): string | undefined {
  return env[SESSION] || undefined;
}

/** The file with the conversation of that session. */
export function hostTranscript(env: NodeJS.ProcessEnv): string | undefined {
  return env[TRANSCRIPT] || undefined;
}

export interface SessionFacts {
  readonly session: string;
  readonly transcript: string | undefined;
}

/** Lines that a POSIX shell reads at its start. */
export function exportLines({ session, transcript }: SessionFacts): string {
  const line = (name: string, value: string): string => `export ${name}=${shellQuoted(value)}\n`;
  return line(SESSION, session) + (transcript === undefined ? "" : line(TRANSCRIPT, transcript));
}
