/**
 * The way out: whole lines to standard output, in order.
 *
 * @param {{ before?: readonly string[] | undefined, isMute: () => boolean }} options `before` is written ahead of each
 *   answer.
 */
export function openOutput({ before = [], isMute }) {
  /** Lines that wait for the rest of a line cut in two. @type {string[] | undefined} */
  let held;

  /** @param {string} line */
  const writeLine = (line) => {
    if (isMute()) return;
    if (held === undefined) process.stdout.write(`${line}\n`);
    else held.push(line);
  };

  return {
    writeLine,

    /** @param {object} message */
    send(message) {
      writeLine(JSON.stringify(message));
    },

    /**
     * The id goes out as it came in, character by character, since an int64 is more than a JavaScript number can hold.
     *
     * @param {string} id JSON text. @param {object} outcome `{result}` or `{error}`.
     */
    answer(id, outcome) {
      for (const line of before) writeLine(line);
      const body = JSON.stringify(outcome).slice(1, -1);
      writeLine("error" in outcome ? `{${body},"id":${id}}` : `{"id":${id},${body}}`);
    },

    /** Writes a message in two pieces that part a character of several bytes. @param {object} message */
    async sendCut(message) {
      const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
      const middle = bytes.findIndex((byte) => byte >= 0xc0) + 1;
      process.stdout.write(bytes.subarray(0, middle));
      held = [];
      await new Promise((resolve) => setTimeout(resolve, 30));
      const waiting = held;
      held = undefined;
      process.stdout.write(bytes.subarray(middle));
      for (const line of waiting) writeLine(line);
    },
  };
}

/** @typedef {ReturnType<typeof openOutput>} Output */
