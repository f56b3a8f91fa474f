import { readFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { NO_FIGURES, sumOf, type Figures } from "../base/figures.ts";
import { publishOver } from "../os/atomic-file.ts";
import type { EndedRecord } from "./epoch-file.ts";
import { figuresSchema } from "./figures-schema.ts";

/** What the brokers of a scope have seen whose obituaries are gone. */
interface FiguresSum {
  /** The newest epoch in it: none is added twice. */
  readonly through: number;
  readonly figures: Figures;
}

const schema = v.object({ through: v.number(), figures: figuresSchema });

const NOTHING: FiguresSum = { through: 0, figures: NO_FIGURES };

/** A file that cannot be read costs figures and nothing else: the sum begins anew. */
export function readFiguresSum(scopeDir: string): FiguresSum {
  try {
    const parsed = v.safeParse(schema, JSON.parse(readFileSync(pathOf(scopeDir), "utf8")));
    return parsed.success ? parsed.output : NOTHING;
  } catch {
    return NOTHING;
  }
}

/**
 * To be called, the oldest first, with each obituary that is about to be removed. Two brokers that
 * do it at the same moment write the same.
 *
 * @throws BrokerError `stateDirUnusable`.
 */
export function addToFiguresSum(scopeDir: string, { epoch, figures }: EndedRecord): void {
  const sum = readFiguresSum(scopeDir);
  if (figures === undefined || epoch <= sum.through) return;
  const next: FiguresSum = { through: epoch, figures: sumOf([sum.figures, figures]) };
  publishOver(pathOf(scopeDir), `${JSON.stringify(next, null, 2)}\n`);
}

function pathOf(scopeDir: string): string {
  return path.join(scopeDir, "figures.json");
}
