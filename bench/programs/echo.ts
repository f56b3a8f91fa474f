import { createServer } from "node:net";

/** The floor: sends back what it gets, on a Unix socket if a path is given, else on its pipes. */
const path = process.argv[2];
if (path === undefined) {
  process.stdin.pipe(process.stdout);
} else {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen({ path, backlog: 511 }, () => process.stdout.write("ready\n"));
  process.stdin.resume().once("end", () => process.exit(0));
}
