import { duplexPair, type Duplex } from "node:stream";

export interface Ends {
  /** What the code under test holds. */
  readonly near: Duplex;
  readonly far: Duplex;
  /** The lines that have come out at the far end, without their newlines. */
  readonly sent: string[];
  /** Lines from the far end. */
  say(...lines: readonly string[]): void;
}

/** A connection in memory, and a far end that takes down what it is told. */
export function linkedEnds(): Ends {
  const [near, far] = duplexPair();
  const sent: string[] = [];
  let rest = "";
  far.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString("utf8")).split("\n");
    rest = parts.pop() ?? "";
    sent.push(...parts);
  });
  far.on("error", () => {});
  return {
    near,
    far,
    sent,
    say: (...lines) => void far.write(lines.map((line) => `${line}\n`).join("")),
  };
}
