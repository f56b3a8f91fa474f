// One of many: loads the library, waits for the word, asks for a broker as any program would, says
// which one it got, and leaves.
import { createInterface } from "node:readline";

const { connectBroker } = await import(new URL("../../dist/index.js", import.meta.url).href);
const workspace = process.argv[2];

console.log("ready");
const lines = createInterface({ input: process.stdin });
const at = await new Promise((resolve) => {
  lines.once("line", (line) => resolve(Number(line)));
});
lines.close();
// A timer would wake them one after the other.
while (Date.now() < at);

const startedAt = performance.now();
try {
  const client = await connectBroker({ cwd: workspace });
  const { instance, epoch, pid, appServer } = await client.status();
  const ms = performance.now() - startedAt;
  client.close();
  console.log(JSON.stringify({ instance, epoch, broker: pid, appServer: appServer.pid, ms }));
} catch (error) {
  console.log(JSON.stringify({ error }));
}
process.exit();
