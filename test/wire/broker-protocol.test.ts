import { expect, test } from "vitest";
import { proofMatches, proofOf } from "../../src/wire/broker-protocol.ts";

const TOKEN = "t".repeat(64);

test("F07 S9: only whoever knows the token can prove it, and only for that nonce", () => {
  const proof = proofOf(TOKEN, "nonce");
  expect(proofMatches(TOKEN, "nonce", proof)).toBe(true);
  expect(proofMatches(TOKEN, "another", proof)).toBe(false);
  expect(proofMatches(`${TOKEN}x`, "nonce", proof)).toBe(false);
  expect(proof).not.toContain(TOKEN);
});

test("F07: a proof of another length or alphabet is wrong, and no error", () => {
  const proof = proofOf(TOKEN, "nonce");
  for (const wrong of ["", "0", proof.slice(1), `${proof}0`, proof.toUpperCase(), "ä".repeat(64)]) {
    expect(proofMatches(TOKEN, "nonce", wrong)).toBe(false);
  }
});
