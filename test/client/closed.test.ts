import { describe, expect, test } from "vitest";
import { BrokerError } from "../../src/base/errors.ts";
import { deferred } from "../../src/base/deferred.ts";
import { BrokerClient } from "../../src/client/broker-client.ts";
import type { Open, Opened } from "../../src/client/opened.ts";
import { Inbox } from "../../src/client/inbox.ts";
import { OpenWork } from "../../src/client/open-work.ts";
import { MAX_LINE_BYTES, type Draining } from "../../src/wire/broker-protocol.ts";
import { Connection } from "../../src/wire/connection.ts";
import { linkedEnds, type Ends } from "../wire/duplex.ts";

const REPLACED: Draining = { reason: "superseded", reconnect: true, abnormal: false };

interface Link extends Ends {
  readonly opened: Opened;
  readonly drain: () => void;
}

/** An open connection in memory to a broker that says nothing by itself. */
function link(epoch: number): Link {
  const ends = linkedEnds();
  const draining = deferred<Draining>();
  const connection = new Connection(
    { readable: ends.near, writable: ends.near },
    { maxLineBytes: MAX_LINE_BYTES },
  );
  const socket = { ref: () => {}, unref: () => {} };
  const opened = {
    record: { epoch, instance: String(epoch) },
    link: { connection, socket },
    started: false,
    draining: draining.promise,
    work: new OpenWork(),
    onNotification: () => {},
  } as unknown as Opened;
  return { ...ends, opened, drain: () => draining.resolve(REPLACED) };
}

/** A client that is on its way to a successor. */
async function moving(): Promise<{
  readonly client: BrokerClient;
  readonly first: Link;
  readonly arrive: (at: Opened) => void;
  readonly fail: (why: Error) => void;
}> {
  const first = link(1);
  const asked = deferred<void>();
  const next = deferred<Opened>();
  const open: Open = () => {
    asked.resolve();
    return next.promise;
  };
  const client = new BrokerClient(first.opened, new Inbox(), open);
  first.drain();
  await asked.promise;
  return { client, first, arrive: next.resolve, fail: next.reject };
}

describe("F111: `closed` settles", () => {
  test("when the client is closed before the successor is there", async () => {
    const { client, arrive } = await moving();
    client.close();
    arrive(link(2).opened);
    expect((await client.closed).kind).toBe("connectionClosed");
  });

  test("when the client is closed and no successor comes", async () => {
    const { client, fail } = await moving();
    client.close();
    fail(new BrokerError("brokerUnavailable", "gave up"));
    expect((await client.closed).kind).toBe("connectionClosed");
  });

  test("when the client is closed and the search for a successor never ends", async () => {
    const { client } = await moving();
    client.close();
    expect((await client.closed).kind).toBe("connectionClosed");
  });

  test("when the older connection is lost and no successor comes after that", async () => {
    const { client, first, fail } = await moving();
    first.near.destroy();
    await first.opened.link.connection.closed;
    fail(new BrokerError("brokerUnavailable", "none"));
    expect((await client.closed).kind).toBe("connectionLost");
  });

  test("when no successor comes and the older connection is lost after that", async () => {
    const { client, first, fail } = await moving();
    fail(new BrokerError("brokerUnavailable", "none"));
    first.near.destroy();
    expect((await client.closed).kind).toBe("connectionLost");
  });

  test("when the successor is lost at the moment in which it is reached", async () => {
    const { client, arrive } = await moving();
    const second = link(2);
    arrive(second.opened);
    second.near.destroy();
    expect((await client.closed).kind).toBe("connectionLost");
  });

  test("when the successor was lost before it is reached", async () => {
    const { client, arrive } = await moving();
    const second = link(2);
    second.near.destroy();
    await second.opened.link.connection.closed;
    arrive(second.opened);
    expect((await client.closed).kind).toBe("connectionLost");
  });
});
