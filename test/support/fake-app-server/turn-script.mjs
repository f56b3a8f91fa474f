/**
 * What a prompt tells the fake to do: steps parted by ` ;; `, done in order, as for the scripted model.
 *
 * | step                    | what happens                                                                          |
 * |-------------------------|---------------------------------------------------------------------------------------|
 * | `say: hello world`      | a message, one delta a word                                                           |
 * | `slow: 20x50ms tick`    | a message of 20 deltas, 50 ms before each                                             |
 * | `cut: grüße`            | a message whose delta is written in two pieces that part a character                  |
 * | `separators`            | a message with U+2028, U+2029 and U+0085 inside                                       |
 * | `big: 20`               | a message with one delta of that many MiB                                             |
 * | `noise: text`           | this very line on standard output, whatever it is                                     |
 * | `hold: gate`            | waits until the test releases the gate                                                |
 * | `silence`               | nothing more: no item, no `turn/completed`                                            |
 * | `fail: no more`         | the turn fails, as when the model's connection is lost                                |
 * | `quota`                 | the turn fails, as when the plan's usage is used up                                   |
 * | `error: text`           | an `error` that will not be retried, and then nothing more                            |
 * | `shell-ask: echo hi`    | asks for approval of the command as Codex does; only `echo` is really done            |
 * | `ask: METHOD`           | sends this server request, known or unknown, with likely params                       |
 * | `ask: METHOD {"a":1}`   | the same with these params                                                            |
 * | `die: 3`, `die: SIGKILL`| the process ends, with that code or by that signal                                    |
 * | anything else           | a message with a short echo of it                                                     |
 *
 * After an `ask` comes a message `answered: …` with what the client answered, as JSON without its id.
 *
 * @typedef {{ word: string, rest: string }} Step
 */

const WORDS = new Set([
  "say",
  "slow",
  "cut",
  "separators",
  "big",
  "noise",
  "hold",
  "silence",
  "fail",
  "quota",
  "error",
  "shell-ask",
  "ask",
  "die",
]);

/** Reads a prompt. @param {string} prompt @returns {Step[]} */
export function parseTurnScript(prompt) {
  return prompt.split(" ;; ").map((source) => {
    const text = source.trim();
    const [, word = "", rest = ""] = /^([a-z-]+)(?::\s*(.*))?$/s.exec(text) ?? [];
    return WORDS.has(word)
      ? { word, rest }
      : { word: "say", rest: `You said: ${text.slice(0, 200)}` };
  });
}
