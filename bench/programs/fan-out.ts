import { createServer, type Socket } from "node:net";

/** The floor of one to many: every piece that comes in is written to every socket, and nothing else is done. */
const sockets = new Set<Socket>();
const server = createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("error", () => {});
  // From now on it gets everything.
  socket.write("\n");
});
server.listen({ path: process.argv[2] ?? "", backlog: 511 }, () => process.stdout.write("ready\n"));
process.stdin.on("data", (piece: Buffer) => {
  for (const socket of sockets) socket.write(piece);
});
process.stdin.once("end", () => process.exit(0));
