import { expect, test } from "vitest";
import { tomlStrings } from "../../src/base/toml.ts";

function flat(text: string): string[] {
  return tomlStrings(text).map(({ keys, value }) => `${keys.join(" ")} = ${value}`);
}

test("strings are found wherever TOML lets them stand", () => {
  const text = `
# a comment with key = "none"
plain = "one" # and after it
'literal' = 'C:\\path'
dotted . "quoted.key" = "two"
number = 1_000.5
date = 1979-05-27 07:32:00Z
flag = true
long = """
first \\
   second"""
raw = '''
it's'''
escaped = "tab\\tquote\\" \\u00e9"
list = [ "a", # comment
  "b", ["c"], 1,
]
inline = { x = "d", y.z = ["e"], n = {} }
[table . name]
key = "f"
[[tables]]
key = "g"\r
[[tables]]
key = 'h'`;
  expect(flat(text)).toEqual([
    "plain = one",
    "literal = C:\\path",
    "dotted quoted.key = two",
    "long = first second",
    "raw = it's",
    'escaped = tab\tquote" é',
    "list = a",
    "list = b",
    "list = c",
    "inline x = d",
    "inline y z = e",
    "table name key = f",
    "tables key = g",
    "tables key = h",
  ]);
});

test("a document that breaks off gives what stands before", () => {
  expect(flat('a = "1"\nb = "2\nc = "3"')).toEqual(["a = 1"]);
  expect(flat('a = "1" b = "2"')).toEqual(["a = 1"]);
  for (const text of ["", "=", "[", "a", "a =", "a = [", "a = {", 'a = {b "c"}', '"""']) {
    expect(flat(text)).toEqual([]);
  }
});
