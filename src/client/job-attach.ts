import { BrokerError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import { BROKER_VERSION } from "../base/version.ts";
import { makeContact } from "../lifecycle/contact.ts";
import type { ServingRecord } from "../lifecycle/epoch-file.ts";
import type { BrokerRequests } from "../wire/broker-protocol.ts";
import { isRecord } from "../wire/messages.ts";
import { AskedQuestions } from "./asked-questions.ts";
import { Inbox, type QuestionHandler } from "./inbox.ts";
import { toTurnEvent, type TurnEvent } from "./turn-event.ts";

/** A broker answers this from memory. */
const ANSWER_WITHIN_MS = 5_000;

export interface AttachOptions {
  /** Of the job's own thread: what was told before first, then what happens. */
  readonly onEvent: (event: TurnEvent) => void;
  /** Answers what the job asks, unless another one is faster. Default: it is left to others. */
  readonly onQuestion?: QuestionHandler;
}

/** A connection over which a job is heard. To close it changes nothing for the job. */
export interface Attached {
  /** Resolves when nothing more will be heard. */
  readonly closed: Promise<unknown>;
  close(): void;
}

/**
 * Hears a job in the very broker that runs it, which may be one that has been superseded.
 *
 * @throws BrokerError when it cannot be heard there.
 */
export async function attachToJob(
  record: ServingRecord,
  job: string,
  { onEvent, onQuestion }: AttachOptions,
): Promise<Attached> {
  const inbox = new Inbox();
  const asked = new AskedQuestions();
  inbox.questionHandler = onQuestion;
  const deadline = Deadline.after(ANSWER_WITHIN_MS);
  const { contact, link } = await makeContact(
    record,
    {
      clientInfo: { name: "codex-broker jobs attach", title: null, version: BROKER_VERSION },
      capabilities: {},
      handlers: () => ({
        onNotification: (method, params) => {
          inbox.notification(method, params);
          if (method === "serverRequest/resolved") asked.resolved(params);
        },
        onRequest: (method, params, id) =>
          asked.serve(id, (signal) => inbox.question(method, params, signal)),
      }),
    },
    deadline,
  );
  if (link === undefined) {
    const message = `The broker of epoch ${record.epoch} does not answer (${contact.kind}).`;
    throw new BrokerError("brokerUnavailable", message);
  }
  const { connection } = link;
  void connection.closed.then(() => asked.clear());
  const before: Array<readonly [method: string, params: unknown]> = [];
  const undo = inbox.listen((...heard) => void before.push(heard));
  try {
    const answer = await connection.request("broker/job/attach", { job }, { deadline });
    const { threadId } = answer as BrokerRequests["broker/job/attach"]["result"];
    const tell = (method: string, params: unknown): void => {
      if (isRecord(params) && params["threadId"] === threadId) onEvent(toTurnEvent(method, params));
    };
    undo();
    inbox.listen(tell);
    for (const heard of before) tell(...heard);
    return { closed: connection.closed, close: () => connection.close() };
  } catch (error) {
    connection.close();
    throw error;
  }
}
