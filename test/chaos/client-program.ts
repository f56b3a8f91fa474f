import { createInterface } from "node:readline";
import { OurClient } from "./our-client.ts";
import type { Order } from "./orders.ts";
import { RawClient } from "./raw-client.ts";

/** client ours WORKSPACE | raw PATH: does what it is told on stdin, and says what came of it. */
const [kind, place = "."] = process.argv.slice(2);
const client = kind === "ours" ? new OurClient(place) : new RawClient(place);

const orders = createInterface({ input: process.stdin });
orders.on("line", (line) => {
  void client
    .carryOut(JSON.parse(line) as Order)
    .then((result) => process.stdout.write(`${JSON.stringify(result)}\n`));
});
orders.on("close", () => process.exit());
console.log(JSON.stringify({ id: 0, outcome: "ready" }));
