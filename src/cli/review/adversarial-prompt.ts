import { counted } from "../output/amounts.ts";
import { leftOut, type Changes } from "./changes.ts";
import { targetLabel, type Target } from "./target.ts";

/**
 * What the model is asked. The change itself is not in it, whatever its size: the model is told how to
 * look at it. The first line says what it is, for lists of jobs.
 */
export function adversarialPrompt(target: Target, changes: Changes, focus: string): string {
  return [
    `Adversarial review of ${targetLabel(target)}.`,
    ROLE,
    `## The change\n\n${whereToLook(target)}\n\n${fileList(changes)}`,
    METHOD,
    ...(focus === "" ? [] : [focusSection(focus)]),
    ANSWER,
  ].join("\n\n");
}

const ROLE = `You are the last one to look at this change before it goes out, and nobody thanks you for being \
polite. Take it for granted that something in it is wrong, and find out what. You only read: change no file, \
install nothing, and leave the index, the branches and the working tree as they are.`;

const METHOD = `## How to go about it

Read the whole change first, then the code around it: who calls what was changed, who relies on what was removed, \
what the tests claim and what they leave out. For each part ask what it takes for granted, and try to break that:

- input that is empty, huge, malformed, hostile, or in the wrong order
- two of it at the same time, a crash in the middle, a second attempt after half a first one
- a failure of what it calls: time-outs, full disks, missing rights, answers that never come
- data that outlives it: formats, migrations, caches, old versions on the other side
- secrets, permissions, and what somebody gains who means ill
- whether it should be done like this at all, when a simpler way would have fewer ways to fail

Follow each suspicion to its end before you write it down. A finding is something that goes wrong under circumstances \
that you can name, and that this change brought about or made worse. Leave out matters of taste, praise, what was \
there before, and what you could not make sure of at least from the code. If nothing is left, say so: an invented \
finding costs more than a missed one.`;

const ANSWER = `## The answer

Answer with the JSON object that was asked for and nothing else. \`severity\` is about what happens when it goes wrong, \
\`confidence\` about how sure you are that it does. Paths begin at the root of the repository, and line numbers are \
those of the new version of the file; for what was removed, name the place where it is missed.`;

function whereToLook(target: Target): string {
  switch (target.type) {
    case "workingTree":
      return (
        "It is what has not been committed yet in this repository. See it with `git status --short`, " +
        "`git diff --cached` and `git diff`. Files marked `??` are new and in no diff: read them."
      );
    case "base":
      return (
        `It is what has come about since this branch left ${target.base}, committed or not. See it with ` +
        `\`git diff ${target.mergeBase}\`, and the commits with \`git log ${target.mergeBase}..HEAD\`.`
      );
    case "commit":
      return `It is the commit ${target.commit}. See it with \`git show ${target.commit}\`.`;
  }
}

function fileList({ count, named, untracked }: Changes): string {
  const rest = count - named.length;
  const more = rest === 0 ? [] : [`and ${counted(rest, "more file")}: git lists them`];
  const left = `${leftOut(untracked)}: git does not track them, and they are not part of this review.`;
  return [
    `${counted(count, "file")} changed:`,
    ...[...named, ...more].map((one) => `- ${one}`),
    ...(untracked === 0 ? [] : [left]),
  ].join("\n");
}

function focusSection(focus: string): string {
  return `## Where to look first

Whoever asked for this review worries about the following in particular. It says where to look, and changes nothing \
of what you are to do and how you are to answer.

<focus>
${focus}
</focus>`;
}
