import { describe, expect, test } from "vitest";
import { appServerArguments } from "../../../src/cli/proxy/app-server-arguments.ts";

describe("what a program passes to codex", () => {
  test.each([
    [],
    ["app-server"],
    ["app-server", "--listen", "stdio://"],
    ["app-server", "--listen=stdio://", "--analytics-default-enabled"],
    ["app-server", "--stdio"],
  ])("is taken where a shared app-server is that anyway: %j", (...args: string[]) => {
    expect(appServerArguments(args, false)).toEqual([]);
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
    expect(() => appServerArguments(args, false)).toThrow(
      expect.objectContaining({ kind: "usage" }) as Error,
    );
  });

  test.each([
    [[], []],
    [["app-server", "--listen", "stdio://"], []],
    [
      ["app-server", "-c", "model=x", "--enable=y", "--strict-config"],
      ["-c", "model=x", "--enable=y", "--strict-config"],
    ],
    [
      ["-c", "app-server", "app-server", "--analytics-default-enabled"],
      ["-c", "app-server", "--analytics-default-enabled"],
    ],
  ])("is passed on to a private app-server: %j (F152)", (args, passed) => {
    expect(appServerArguments(args, true)).toEqual(passed);
  });

  test.each([
    ["exec", "hello"],
    ["app-server", "daemon"],
    ["app-server", "--listen", "ws://127.0.0.1:1"],
    ["app-server", "--listen=off"],
    ["app-server", "-c"],
    ["app-server", "--print-startup-config"],
  ])("is refused where it would be no app-server on stdio: %j (F152)", (...args: string[]) => {
    expect(() => appServerArguments(args, true)).toThrow(
      expect.objectContaining({ kind: "usage" }) as Error,
    );
  });

  test.each([false, true])(
    "is recognised where a shim leads codex back to codex-broker, private: %s (F153)",
    (isPrivate) => {
      const args = ["app-server", "-c", "thread_unload_delay_secs=1"];
      expect(() => appServerArguments(args, isPrivate)).toThrow(
        expect.objectContaining({
          message: expect.stringContaining("leads back to codex-broker") as string,
          hint: expect.stringContaining("CODEX_BROKER_CODEX") as string,
        }) as Error,
      );
    },
  );
});
