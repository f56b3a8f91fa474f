import { expect, test } from "vitest";
import { narrowedProfile } from "../../../src/cli/run/narrowed-profile.ts";

test("whatever a profile or one that it extends lets be written can only be read (F141)", () => {
  const tables = {
    base: {
      extends: ":workspace",
      filesystem: { ":tmpdir": "deny", "/data": "write", "/more": { ".": "read", out: "write" } },
    },
    mine: {
      extends: "base",
      filesystem: {
        ":workspace_roots": { ".env": "deny", out: "write" },
        glob_scan_max_depth: null,
      },
    },
  };
  expect(narrowedProfile("mine", tables)).toEqual({
    extends: "mine",
    filesystem: {
      ":workspace_roots": { ".": "read", out: "read" },
      ":slash_tmp": "read",
      "/data": "read",
      "/more": { out: "read" },
    },
    network: { enabled: false },
  });
});

test("what is hidden stays so, and profiles that extend each other come to an end (F141)", () => {
  const tables = {
    one: { extends: "two", filesystem: { "/secret": "deny" } },
    two: { extends: "one", filesystem: { "/secret": "write" } },
  };
  expect(narrowedProfile("one", tables)["filesystem"]).toEqual({});
});
