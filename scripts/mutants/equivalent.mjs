import { readFileSync } from "node:fs";

/**
 * @typedef {object} Listed
 * @property {string} file
 * @property {string} source the line that the mutant changes, without the spaces around it
 * @property {string} replacement
 * @property {string} reason why no test can detect the change
 */

/** @type {readonly Listed[]} */
const listed = JSON.parse(readFileSync(new URL("equivalent.json", import.meta.url), "utf8"));

/**
 * Returns why this mutant behaves as the original, or undefined where that is not known.
 * @param {{ file: string; source: string; replacement: string }} mutant
 */
export function equivalenceOf({ file, source, replacement }) {
  return listed.find(
    (one) => one.file === file && one.source === source && one.replacement === replacement,
  )?.reason;
}
