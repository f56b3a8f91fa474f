import * as v from "valibot";
import type { Figures } from "../base/figures.ts";

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const amount = v.pipe(v.number(), v.finite(), v.minValue(0));

/** Figures as they stand in a file. */
export const figuresSchema: v.GenericSchema<unknown, Figures> = v.object({
  epochs: count,
  sessions: count,
  turnsStarted: count,
  ages: v.array(
    v.object({
      fromMs: amount,
      completed: count,
      interrupted: count,
      lost: count,
      failed: v.record(v.string(), count),
      peakRssBytes: amount,
    }),
  ),
  peaks: v.object({
    rssBytes: amount,
    brokerRssBytes: amount,
    descriptors: amount,
    brokerDescriptors: amount,
    descendants: amount,
  }),
  firstAnswerMs: v.nullable(amount),
});
