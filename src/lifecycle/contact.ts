import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { BrokerError, errnoOf, messageOf } from "../base/errors.ts";
import type { Deadline } from "../base/deadline.ts";
import { deferred } from "../base/deferred.ts";
import {
  BROKER_PROTOCOL,
  MAX_LINE_BYTES,
  proofMatches,
  type BrokerHello,
  type BrokerHelloParams,
} from "../wire/broker-protocol.ts";
import { Connection, type ConnectionOptions } from "../wire/connection.ts";
import { isRecord } from "../wire/messages.ts";
import type { Contact } from "./assess.ts";
import type { ServingRecord } from "./epoch-file.ts";

/** How a client introduces itself, and what it does with what comes in. */
export interface Introduction {
  readonly clientInfo: {
    readonly name: string;
    readonly title: string | null;
    readonly version: string;
  };
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** What becomes of requests that find their thread busy and do not say what they want then. */
  readonly whenBusy?: BrokerHelloParams["whenBusy"];
  /** Called once for each connection that is tried. */
  readonly handlers: () => Omit<ConnectionOptions, "maxLineBytes">;
}

/** An open connection on which the broker has proven who it is. */
export interface Link {
  readonly connection: Connection;
  readonly socket: Socket;
  readonly hello: BrokerHello;
  /** The app-server's own answer to `initialize`, with the broker's facts in it. */
  readonly initializeResult: Readonly<Record<string, unknown>>;
}

export interface Contacted {
  readonly contact: Contact;
  /** Present exactly when the contact is a hello. */
  readonly link?: Link;
}

const DENIED = new Set(["EPERM", "EACCES"]);

/** Connects to what the record names and says hello. Never throws; leaves nothing open unless linked. */
export async function makeContact(
  record: ServingRecord,
  introduction: Introduction,
  deadline: Deadline,
): Promise<Contacted> {
  const startedAt = Date.now();
  const silent = (): Contacted => ({ contact: { kind: "silent", forMs: Date.now() - startedAt } });
  let socket: Socket;
  try {
    socket = await openSocket(record.endpoint, deadline);
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined || code === "EAGAIN" || code === "ETIMEDOUT") return silent();
    return { contact: { kind: DENIED.has(code) ? "denied" : "refused", code } };
  }
  const connection = new Connection(
    { readable: socket, writable: socket },
    { ...introduction.handlers(), maxLineBytes: MAX_LINE_BYTES },
  );
  try {
    return await sayHello(record, introduction, { connection, socket }, deadline);
  } catch (error) {
    connection.destroy(new BrokerError("connectionClosed", "The broker did not say who it is."));
    if (BrokerError.is(error) && error.kind === "requestTimedOut") return silent();
    if (BrokerError.is(error) && error.kind === "connectionLost") {
      return { contact: { kind: "refused", code: "closed before it answered" } };
    }
    return { contact: { kind: "stranger", why: messageOf(error) } };
  }
}

async function sayHello(
  record: ServingRecord,
  introduction: Introduction,
  open: Pick<Link, "connection" | "socket">,
  deadline: Deadline,
): Promise<Contacted> {
  const nonce = randomBytes(16).toString("hex");
  const { clientInfo, capabilities, whenBusy } = introduction;
  const { instance } = record;
  const params = {
    clientInfo,
    capabilities,
    broker: { protocol: BROKER_PROTOCOL, nonce, instance, pid: process.pid, whenBusy },
  };
  const result = await open.connection.request("initialize", params, { deadline });
  if (!isRecord(result) || !isHello(result["broker"])) {
    throw new BrokerError("foreignBroker", "it does not answer as a broker does");
  }
  const hello = result["broker"];
  if (hello.instance !== record.instance || hello.epoch !== record.epoch) {
    throw new BrokerError("foreignBroker", "it is another instance");
  }
  if (!proofMatches(record.token, nonce, hello.proof)) {
    throw new BrokerError("foreignBroker", "it cannot prove that it holds the epoch");
  }
  return { contact: { kind: "hello", hello }, link: { ...open, hello, initializeResult: result } };
}

function isHello(value: unknown): value is BrokerHello {
  return (
    isRecord(value) &&
    typeof value["protocol"] === "number" &&
    typeof value["instance"] === "string" &&
    typeof value["epoch"] === "number" &&
    typeof value["state"] === "string" &&
    typeof value["proof"] === "string"
  );
}

/** @throws the system error, or a plain one when there was no connection in time. */
export async function openSocket(endpoint: string, deadline: Deadline): Promise<Socket> {
  const opened = deferred<Socket>();
  // As a path in any case: Node would take a text of digits for a port.
  const socket = connect({ path: endpoint });
  socket.once("connect", () => opened.resolve(socket));
  socket.once("error", opened.reject);
  try {
    return await deadline.race(opened.promise, () => new Error("no connection in time"));
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.removeListener("error", opened.reject);
    socket.on("error", ignore);
  }
}

/** A socket without an error listener takes the process down; the connection has its own. */
function ignore(): void {}
