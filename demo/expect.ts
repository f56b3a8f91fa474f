/** @throws Error when the demo does not show what it says. */
export function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`the demo expected that ${what}`);
}
