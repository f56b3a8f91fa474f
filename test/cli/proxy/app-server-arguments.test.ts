import { describe, expect, test } from "vitest";
import { checkAppServerArguments } from "../../../src/cli/proxy/app-server-arguments.ts";

describe("what a program passes to codex", () => {
  test.each([
    [],
    ["app-server"],
    ["app-server", "--listen", "stdio://"],
    ["app-server", "--listen=stdio://", "--analytics-default-enabled"],
    ["app-server", "--stdio"],
  ])("is taken where a shared app-server is that anyway: %j", (...args: string[]) => {
    expect(() => checkAppServerArguments(args)).not.toThrow();
  });

  test.each([
    ["-c", "model=x"],
    ["app-server", "-c", "model=x"],
    ["app-server", "--config=model=x"],
    ["app-server", "--enable", "x"],
    ["app-server", "--listen", "ws://127.0.0.1:1"],
    ["app-server", "--listen"],
    ["exec", "hello"],
    ["app-server", "daemon"],
  ])("is refused where it would change it for everyone: %j", (...args: string[]) => {
    expect(() => checkAppServerArguments(args)).toThrow(
      expect.objectContaining({ kind: "usage" }) as Error,
    );
  });
});
