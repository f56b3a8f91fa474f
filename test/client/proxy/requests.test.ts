import { expect, test } from "vitest";
import type { BrokerSession } from "../../../src/client/proxy/broker-session.ts";
import { ProxiedRequests } from "../../../src/client/proxy/requests.ts";
import { decodeFrame, type NotificationFrame, type RequestFrame } from "../../../src/wire/frame.ts";

const decoded = (line: string): unknown => decodeFrame(Buffer.from(line));
const request = (line: string): RequestFrame => decoded(line) as RequestFrame;
const notification = (line: string): NotificationFrame => decoded(line) as NotificationFrame;

const asked = (id: string): RequestFrame =>
  request(`{"id":${id},"method":"thread/search/stream","params":{}}`);
const cancelling = (id: string): RequestFrame =>
  request(`{"id":1,"method":"thread/search/stream/cancel","params":{"requestId":${id}}}`);
const partial = (id: string): NotificationFrame =>
  notification(`{"method":"thread/search/partial","params":{"requestId":${id},"data":[]}}`);

// Nothing of a session is used here but that it is this one.
const here = {} as BrokerSession;
const there = {} as BrokerSession;

test("a request that a program names has its own id at each broker, and comes back under the program's (F108)", () => {
  const requests = new ProxiedRequests();
  requests.sent(asked("9007199254740993"), here, "4");
  requests.sent(asked('"4"'), there, "4");
  const named = requests.toBroker(cancelling("9007199254740993"));
  expect(named).toMatchObject({ session: here, frame: { params: { requestId: 4 } } });
  expect(requests.toBroker(cancelling('"4"'))).toMatchObject({ session: there });
  expect(requests.toProgram(partial("4"), here)?.line).toBe(partial("9007199254740993").line);
  expect(requests.toProgram(partial("4"), there)?.line).toBe(partial('"4"').line);
});

test("a request that is not outstanding is named to no broker, and what is reported of it to no program (F108)", () => {
  const requests = new ProxiedRequests();
  const request = asked("7");
  requests.sent(request, here, "4");
  expect(requests.toBroker(cancelling("4"))).toBe("nothing");
  expect(requests.toProgram(partial("7"), here)).toBeUndefined();
  expect(requests.toProgram(partial("4"), there)).toBeUndefined();
  requests.settled(request);
  expect(requests.toBroker(cancelling("7"))).toBe("nothing");
  expect(requests.toProgram(partial("4"), here)).toBeUndefined();
});

test("what names no request passes as it is (F108)", () => {
  const requests = new ProxiedRequests();
  requests.sent(asked("7"), here, "4");
  expect(requests.toBroker(asked("8"))).toBeUndefined();
  const resolved = notification(
    '{"method":"serverRequest/resolved","params":{"threadId":"t","requestId":4}}',
  );
  expect(requests.toProgram(resolved, here)).toBe(resolved);
  // Another one, under the same id.
  requests.settled(asked("7"));
  expect(requests.toBroker(cancelling("7"))).toMatchObject({ session: here });
});
