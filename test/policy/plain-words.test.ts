import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { faultOfWords, plainWords } from "../../src/policy/plain-words.ts";

describe("the words of a command", () => {
  test.each([
    ["npm test", ["npm", "test"]],
    ["  npm   test  ", ["npm", "test"]],
    ["/bin/bash -lc 'npm test'", ["npm", "test"]],
    ["/bin/bash -c 'npm test'", ["npm", "test"]],
    ["/usr/bin/zsh -lc 'npm run lint'", ["npm", "run", "lint"]],
    ["/bin/sh -c ls", ["ls"]],
    [`/bin/bash -lc "git commit -m 'it is'"`, ["git", "commit", "-m", "it is"]],
    [`echo "a b"'c d'e`, ["echo", "a bc de"]],
    [`echo ''`, ["echo", ""]],
    ["git log --format=%H a@b,c:d+e", ["git", "log", "--format=%H", "a@b,c:d+e"]],
  ])("%s", (command, words) => {
    expect(plainWords(command)).toEqual(words);
  });

  const smuggled = [
    "npm test; rm -rf /",
    "npm test;rm",
    "npm test && rm x",
    "npm test || rm x",
    "npm test | sh",
    "npm test & rm x",
    "npm test $(rm x)",
    "npm test `rm x`",
    "npm test $HOME",
    "npm test\nrm x",
    "npm test\rrm x",
    "npm test\u0000rm",
    "npm\ttest",
    "npm test > /etc/passwd",
    "npm test < /etc/passwd",
    "npm test >> x",
    "npm test 2>&1",
    "npm test <(rm x)",
    "(npm test)",
    "{ npm test",
    "npm test *",
    "npm test ?",
    "npm test [a]",
    "npm test ~",
    "npm test #",
    "npm test !!",
    "npm test \\",
    "npm te\\st",
    "npm test 'a",
    'npm test "a',
    "npm test 'a; b'",
    'npm test "$(rm x)"',
    "npm test ünïcode",
    "npm test \u00a0x",
    "npm test \u202ex",
    "",
    "   ",
  ];

  test.each([...smuggled, ...smuggled.map((script) => `/bin/bash -lc '${script}'`)])(
    "there are none in %j",
    (command) => {
      expect(plainWords(command)).toBeUndefined();
    },
  );

  test.each("^;&|<>$`\\(){}!*?[]~#".split(""))(
    "%s makes them none: bare, in single quotes, in double quotes, and at either end",
    (character) => {
      for (const quote of ["", "'", '"']) {
        for (const word of [`a${character}b`, `${character}b`, `a${character}`, character]) {
          const line = `npm ${quote}${word}${quote}`;
          expect({ line, words: plainWords(line) }).toEqual({ line });
        }
      }
    },
  );

  test.each([
    [
      "of a shell that the model brought along",
      "/srv/project/bin/bash -lc 'npm test'",
      "/srv/project/bin/bash",
    ],
    ["of a program whose name begins like a shell's", "/bin/shx -c 'npm test'", "/bin/shx"],
    ["of a program whose name ends like a shell's", "/bin/xsh -c 'npm test'", "/bin/xsh"],
    ["of a program beside the shells", "/bin/x/sh -c 'npm test'", "/bin/x/sh"],
    ["of a shell below another root", "x/bin/sh -c 'npm test'", "x/bin/sh"],
    ["of a shell that is looked up", "bash -lc 'npm test'", "bash"],
    ["of a shell with other options", "/bin/bash -ic 'npm test'", "/bin/bash"],
    ["of a shell with arguments for its script", "/bin/bash -c 'npm test' x", "/bin/bash"],
    ["of a shell in a shell", `/bin/bash -c "bash -c 'npm test'"`, "bash"],
    ["of a program elsewhere", "/srv/project/npm test", "/srv/project/npm"],
  ])("a script %s is not taken for what it wraps", (_what, command, first) => {
    expect(plainWords(command)?.[0]).toBe(first);
  });

  test.each([
    "PATH=/srv/project/bin npm test",
    "'DIR=./x' make",
    "DIR+=x make",
    "time npm test",
    "'if' x",
    "=npm test",
    "npm =test",
    "%1",
    "-c x",
    "'npm test'",
  ])("there are none in %j, whose first word a shell reads as something else (F169)", (line) => {
    expect(plainWords(line)).toBeUndefined();
    expect(plainWords(`/bin/bash -lc "${line}"`)).toBeUndefined();
  });

  test("whatever stands around a special character, there are none", () => {
    const special = fc.stringMatching(/^[;&|<>$`\\(){}!*?[\]~#^\n\r\t\x7f\x85]$/);
    fc.assert(
      fc.property(fc.string(), special, fc.string(), fc.boolean(), (a, character, b, quoted) => {
        const script = quoted ? `npm '${a}${character}${b}'` : `npm ${a}${character}${b}`;
        expect(plainWords(script)).toBeUndefined();
        expect(plainWords(`/bin/bash -lc "${script}"`)).toBeUndefined();
      }),
    );
  });

  test("words of harmless characters come back as they are, quoted or not", () => {
    const word = fc.stringMatching(/^[\w@%+=:,./-]+$/);
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), fc.boolean(), (words, quoted) => {
        fc.pre(words[0]?.endsWith("sh") === false && faultOfWords(words) === undefined);
        const line = words.map((each) => (quoted ? `'${each}'` : each)).join(" ");
        expect(plainWords(line)).toEqual(words);
      }),
    );
  });
});
