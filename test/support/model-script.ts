/** One thing that the scripted model does. The language is described in `scripted-model.ts`. */
export type Step =
  | { readonly kind: "say"; readonly text: string }
  | {
      readonly kind: "slow";
      readonly deltas: number;
      readonly pauseMs: number;
      readonly text: string;
    }
  | PacedStep
  | {
      readonly kind: "stream";
      readonly deltas: number;
      readonly perSecond: number;
      readonly bytes: number;
    }
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "think"; readonly text: string }
  | { readonly kind: "hold"; readonly gate: string }
  | { readonly kind: "shell"; readonly command: string; readonly ask: boolean }
  | { readonly kind: "tool"; readonly name: string; readonly args: string }
  | { readonly kind: "fail"; readonly message: string }
  | { readonly kind: "quota" }
  | { readonly kind: "http"; readonly status: number }
  | { readonly kind: "drop" }
  | { readonly kind: "silence" };

/** A text word by word, so many milliseconds before each: `type` is said, `ponder` is thought. */
export interface PacedStep {
  readonly kind: "type" | "ponder";
  readonly pauseMs: number;
  readonly text: string;
}

type Reader = (rest: string) => Step | undefined;

/** The words of the language; a step that begins with none of them is echoed. */
const WORDS: ReadonlyMap<string, Reader> = new Map(
  Object.entries<Reader>({
    say: (text) => ({ kind: "say", text }),
    slow: (rest) => {
      const [, deltas, pauseMs, text] = /^(\d+)x(\d+)ms\s*(.*)$/s.exec(rest) ?? [];
      if (deltas === undefined || pauseMs === undefined) return undefined;
      return {
        kind: "slow",
        deltas: Number(deltas),
        pauseMs: Number(pauseMs),
        text: text || "tick",
      };
    },
    type: (rest) => paced("type", rest),
    ponder: (rest) => paced("ponder", rest),
    stream: (rest) => {
      const [, deltas, perSecond, bytes] =
        /^(\d+) deltas at (\d+)\/s of (\d+) bytes$/.exec(rest) ?? [];
      if (deltas === undefined) return undefined;
      return {
        kind: "stream",
        deltas: Number(deltas),
        perSecond: Number(perSecond),
        bytes: Number(bytes),
      };
    },
    json: (text) => ({ kind: "json", text }),
    think: (text) => ({ kind: "think", text }),
    hold: (gate) => ({ kind: "hold", gate }),
    shell: (command) => ({ kind: "shell", command, ask: false }),
    "shell-ask": (command) => ({ kind: "shell", command, ask: true }),
    tool: (rest) => {
      const [, name, args] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
      return name === undefined ? undefined : { kind: "tool", name, args: args || "{}" };
    },
    fail: (message) => ({ kind: "fail", message }),
    quota: () => ({ kind: "quota" }),
    http: (rest) => (/^[45]\d\d$/.test(rest) ? { kind: "http", status: Number(rest) } : undefined),
    drop: () => ({ kind: "drop" }),
    silence: () => ({ kind: "silence" }),
  }),
);

function paced(kind: PacedStep["kind"], rest: string): PacedStep | undefined {
  const [, pauseMs, text] = /^(\d+)ms\s+(.+)$/s.exec(rest) ?? [];
  if (pauseMs === undefined || text === undefined) return undefined;
  return { kind, pauseMs: Number(pauseMs), text };
}

/** Longest piece of an unknown prompt that is echoed, in characters. */
const ECHO_LIMIT = 200;

/** Reads a prompt as steps. There is always at least one. */
export function parseScript(prompt: string): readonly Step[] {
  return prompt.split(" ;; ").map(parseStep);
}

function parseStep(source: string): Step {
  const text = source.trim();
  const [, word = "", rest = ""] = /^([a-z-]+)(?::\s*(.*))?$/s.exec(text) ?? [];
  return WORDS.get(word)?.(rest) ?? { kind: "say", text: `You said: ${text.slice(0, ECHO_LIMIT)}` };
}

/** Whether the step ends the response: what comes after it has to wait for the tool's output in the next request. */
export function isCall(step: Step): boolean {
  return step.kind === "shell" || step.kind === "tool";
}

/**
 * The steps of one request out of a script that takes several: those after the `done`-th call, up to and including the
 * next one.
 */
export function stepsOfRequest(script: readonly Step[], done: number): readonly Step[] {
  const calls = script.flatMap((step, index) => (isCall(step) ? [index] : []));
  const from = done === 0 ? 0 : (calls[done - 1] ?? script.length) + 1;
  const to = (calls[done] ?? script.length) + 1;
  return script.slice(from, to);
}
