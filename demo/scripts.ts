import { wordsIn } from "./figures.ts";

/** How long the words of each script take, whatever their number: so that one alone compares with four. */
const SPOKEN_MS = 2_400;

/** A file for the command to count. */
export const letter = {
  name: "letter.txt",
  text: `Dear reader,

this file lies in the workspace of the demo, so that a command
has something to count. It goes when the demo goes.
`,
};

export const letterWords = wordsIn(letter.text);

/** What the scripted model does for one client. */
export interface Part {
  readonly client: string;
  readonly prompt: string;
  /** Words that will be thought or said. */
  readonly words: number;
}

type Scene = readonly [step: "type" | "ponder" | "shell", text: string];

const countWords =
  process.platform === "win32"
    ? `(Get-Content ${letter.name} | Measure-Object -Word).Words`
    : `wc -w ${letter.name}`;

/** As long as any of the others, and with the same command as one of them. */
export const alone = part("alone", [
  [
    "type",
    `This turn has the app-server to itself. It is as long as the four that come next, and runs a
    command as one of them does:`,
  ],
  ["shell", countWords],
  [
    "type",
    `So the two times can be put side by side. If sharing cost anything worth a mention, the table
    at the end would have to say so.`,
  ],
]);

export const editor = part("editor", [
  [
    "type",
    `An editor asked for this. It found the broker by a small file, said hello over a local socket,
    and was given a proof that it talks to the process which wrote that file. It numbers its own
    requests; the broker gives them other numbers on the way in and the old ones on the way back,
    so nobody ever gets an answer that was meant for somebody else.`,
  ],
]);

export const shell = part("shell", [
  ["type", "Somebody at a prompt wants a figure, so a command has to find out. Here it comes:"],
  ["shell", countWords],
  [
    "type",
    `That was a real process, started by the shared app-server in the workspace of this thread.
    What it wrote went to the session that had asked, and to no other one.`,
  ],
]);

export const reviewer = part("reviewer", [
  [
    "ponder",
    `Fifty programs ask for a broker at the same instant. With a lock, somebody has to decide when
    it is stale, and two may decide so at once.`,
  ],
  [
    "type",
    `So there is no lock. Whoever wants to start a broker claims the next number with one link, and
    a link has exactly one winner. All others use what the winner has started.`,
  ],
]);

export const chat = part("chat", [
  [
    "type",
    `A long answer begins. Halfway through it the person who asked has seen enough and presses
    Escape. The turn is then ended where it runs, in the app-server, and is not just hidden from
    view, while the neighbours go on as if nothing had happened. Nobody gets to read this far.`,
  ],
]);

/** Shorter than its fellows: somebody waits for its end. */
export const patient = part(
  "patient",
  [
    [
      "type",
      `This turn was begun in one broker and will be finished there, whatever happens around it:
    a newer broker takes the new work, and the older one stays for as long as it is needed.`,
    ],
  ],
  2_000,
);

export const everyPart: readonly Part[] = [alone, editor, shell, reviewer, chat];

function part(client: string, scenes: readonly Scene[], spokenMs = SPOKEN_MS): Part {
  const spoken = scenes.filter(([step]) => step !== "shell");
  const words = spoken.reduce((sum, [, text]) => sum + wordsIn(text), 0);
  const pauseMs = Math.round(spokenMs / words);
  const steps = scenes.map(([step, text]) =>
    step === "shell" ? `shell: ${text}` : `${step}: ${pauseMs}ms ${text.replace(/\s+/g, " ")}`,
  );
  return { client, words, prompt: steps.join(" ;; ") };
}
