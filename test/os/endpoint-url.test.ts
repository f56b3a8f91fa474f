import { expect, test } from "vitest";
import { addressIn, endpointUrl } from "../../src/os/endpoint-url.ts";

const PIPE = String.raw`\\.\pipe\codex-broker-0123`;

test("an endpoint is named as the published plugin's scripts read it, and read back", () => {
  expect(endpointUrl("/run/x.current", "linux")).toBe("unix:/run/x.current");
  expect(endpointUrl("/run/x.current", "darwin")).toBe("unix:/run/x.current");
  expect(endpointUrl(PIPE, "win32")).toBe(`pipe:${PIPE}`);
  expect(addressIn("unix:/run/x.current")).toBe("/run/x.current");
  expect(addressIn(`pipe:${PIPE}`)).toBe(PIPE);
  expect(addressIn("tcp:1.2.3.4:5")).toBeUndefined();
});
