import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  codexVersionFrom,
  MINIMUM_CODEX,
  requireSupported,
} from "../../src/app-server/codex-version.ts";
import { onTrace, type TraceEvent } from "../../src/base/trace.ts";

test("the version stands behind the first name", () => {
  expect(codexVersionFrom("doc/0.169.0 (Debian 12.0.0; x86_64) xterm (doc; 0)")).toBe("0.169.0");
  expect(codexVersionFrom("my tool/0.170.0-alpha.3 (Mac OS 15.1; arm64) x")).toBe(
    "0.170.0-alpha.3",
  );
  expect(codexVersionFrom("t/0.169.0 (Windows 10.0.19043; x86_64)")).toBe("0.169.0");
  expect(codexVersionFrom("doc/0.0.0")).toBe("0.0.0");
  for (const none of ["", "codex", "doc/next (Debian)", "doc"]) {
    expect(codexVersionFrom(none)).toBeUndefined();
  }
});

describe("support", () => {
  const events: TraceEvent[] = [];
  let stop: () => void;
  beforeEach(() => {
    events.length = 0;
    stop = onTrace((event) => void events.push(event));
  });
  afterEach(() => stop());

  test("F71: begins at the minimum", () => {
    for (const version of [MINIMUM_CODEX, "0.124.1", "0.140.0", "0.169.0", "1.0.0"]) {
      requireSupported(version, "/codex");
    }
    for (const version of ["0.123.9", "0.20.0", "0.9.0"]) {
      expect(() => requireSupported(version, "/codex")).toThrow(
        expect.objectContaining({
          kind: "codexTooOld",
          details: { codex: "/codex", version, minimum: MINIMUM_CODEX },
        }),
      );
    }
    expect(events).toEqual([]);
  });

  test("is assumed, with a warning, of what cannot be compared", () => {
    const versions = ["0.100.0-alpha.1", "0.0.0", "next", "", null, undefined];
    for (const version of versions) requireSupported(version, "/codex");
    expect(events.map(({ level }) => level)).toEqual(versions.map(() => "warn"));
  });
});
