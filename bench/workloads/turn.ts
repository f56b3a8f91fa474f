import type { Client, Message } from "../contenders/client.ts";

export async function startThread(client: Client): Promise<string> {
  const { thread } = (await client.request("thread/start")) as { thread: { id: string } };
  return thread.id;
}

/** Runs a turn until its end. One client may run several, on threads of their own. */
export async function runTurn(
  client: Client,
  threadId: string,
  prompt: string,
  onDelta: (message: Message) => void = () => {},
): Promise<void> {
  const over = turnEnd(client, threadId, onDelta);
  over.catch(() => {});
  await client.request("turn/start", { threadId, input: [{ type: "text", text: prompt }] });
  await over;
}

/** The end of a turn that somebody else may have started. */
export function turnEnd(
  client: Client,
  threadId: string,
  onDelta: (message: Message) => void = () => {},
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    client.listen(threadId, (method, message) => {
      if (method === "item/agentMessage/delta") return onDelta(message);
      if (method !== "turn/completed") return;
      client.listen(threadId, undefined);
      const { status } = message.params!["turn"] as { status: string };
      if (status === "completed") resolve();
      else reject(new Error(`the turn has ended as ${status}`));
    });
    void client.ended.then(() => reject(new Error("the connection has ended in the turn")));
  });
}
