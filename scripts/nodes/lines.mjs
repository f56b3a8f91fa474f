/** The Nodes that are tested: of each supported line one build, and of the oldest the oldest that is promised. */
export const NODES = ["20.19.0", "22.23.3", "24.21.0", "26.10.0"];

/**
 * Those that are meant by words such as `22` or `24.21.0`; all of them when there are none.
 * @param {readonly string[]} words
 */
export function nodesMeantBy(words) {
  if (words.length === 0) return NODES;
  return words.map((word) => {
    const found = NODES.find((version) => version === word || version.split(".")[0] === word);
    if (found === undefined) throw new Error(`no Node ${word} here: there are ${NODES.join(", ")}`);
    return found;
  });
}
