import { randomInt } from "node:crypto";

/** No vowels, so that no words come about, and nothing that looks like something else. */
const ALPHABET = "23456789bcdfghjkmnpqrstvwxz";
const LENGTH = 8;

/** Random from its first sign on, so that a few of them name one job among many. */
export function newJobId(): string {
  return Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
}

/** A whole id, or the beginning of one. */
export function looksLikeJobId(text: string): boolean {
  return new RegExp(`^[${ALPHABET}]{1,${LENGTH}}$`).test(text);
}
