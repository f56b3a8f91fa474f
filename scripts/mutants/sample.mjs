import { CheckStatus } from "@stryker-mutator/api/check";
import { declareClassPlugin, PluginKind } from "@stryker-mutator/api/plugin";
import { speaksToPeople } from "./messages.mjs";

/** @typedef {import("@stryker-mutator/api/core").Mutant} Mutant */

/** @typedef {import("@stryker-mutator/api/check").CheckResult} CheckResult */

const CHOSEN = { status: CheckStatus.Passed };
const LEFT_OUT = { status: CheckStatus.CompileError, reason: "left out" };

/** Lets Stryker run a sample of the mutants, and none in the text of a message. */
class Sample {
  static inject = /** @type {[]} */ ([]);
  /** @type {ReadonlySet<string>} */
  #chosen = new Set();

  init() {
    return Promise.resolve();
  }

  /**
   * Called once, with all of them.
   * @param {Mutant[]} mutants
   */
  group(mutants) {
    const candidates = mutants.filter((mutant) => !speaksToPeople(mutant));
    const wanted = Number(process.env["MUTANTS_SAMPLE"]) || candidates.length;
    const random = generator(Number(process.env["MUTANTS_SEED"]) || 1);
    const order = candidates
      .map(({ id }) => ({ id, at: random() }))
      .toSorted((a, b) => a.at - b.at);
    this.#chosen = new Set(order.slice(0, wanted).map(({ id }) => id));
    return Promise.resolve(mutants.map(({ id }) => [id]));
  }

  /**
   * @param {Mutant[]} mutants
   * @returns {Promise<Record<string, CheckResult>>}
   */
  check(mutants) {
    const results = mutants.map(({ id }) => [id, this.#chosen.has(id) ? CHOSEN : LEFT_OUT]);
    return Promise.resolve(Object.fromEntries(results));
  }
}

/**
 * Numbers from 0 to 1 that are the same for the same seed (mulberry32).
 * @param {number} seed
 */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const strykerPlugins = [declareClassPlugin(PluginKind.Checker, "sample", Sample)];
