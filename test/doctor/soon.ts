import { eventually } from "../support/eventually.ts";

/** `eventually`, for a machine that is doing many other things as well. */
export function soon(met: () => boolean | Promise<boolean>, what: string): Promise<void> {
  return eventually(met, what, 60_000);
}
