import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** How many of these can still be reached after a garbage collection. */
export async function reachable(refs: ReadonlyArray<WeakRef<object>>): Promise<number> {
  // What was dereferenced, or settled, in this turn of the event loop lives until its end.
  for (let turns = 0; turns < 5; turns += 1) {
    await new Promise(setImmediate);
    collect();
  }
  return refs.filter((ref) => ref.deref() !== undefined).length;
}
