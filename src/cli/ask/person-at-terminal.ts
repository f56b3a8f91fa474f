import type { Answered } from "../run/approvals.ts";
import { Keyboard } from "./keyboard.ts";
import { Person } from "./person.ts";
import { TerminalDialogue, type QuestionDisplay } from "./terminal-dialogue.ts";

/** Whoever sits at this terminal is asked. Ctrl-C means there what it means elsewhere. */
export function personAtTerminal(
  display: QuestionDisplay,
  onAnswer: (answer: Answered) => void,
): Person {
  const keyboard = new Keyboard(process.stdin, () => process.kill(process.pid, "SIGINT"));
  return new Person(new TerminalDialogue(display, keyboard), onAnswer);
}
