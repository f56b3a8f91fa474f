import type { Reporter } from "./reporter.ts";

/** Says nothing at all. */
export const quietReporter: Reporter = {
  preparing: () => {},
  event: () => {},
  answered: () => {},
  interrupting: () => {},
  ended: () => {},
  gone: () => {},
};
