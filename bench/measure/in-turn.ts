/** Measures one thing once, in milliseconds or whatever else is compared. */
export type Probe = () => Promise<number>;

/**
 * All probes once, then all again, and so on: a machine that gets slower meanwhile gets slower for all
 * of them. Every second round goes backwards, so that nobody always comes after the same neighbour.
 *
 * @param warmUp rounds before the first that counts.
 */
export async function inTurn<Name extends string>(
  rounds: number,
  probes: Readonly<Record<Name, Probe>>,
  warmUp = 1,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(probes) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const result = await probes[name]();
      if (round >= 0) results[name].push(result);
    }
  }
  return results;
}
