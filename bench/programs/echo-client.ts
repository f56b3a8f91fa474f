import { connect } from "node:net";

/** A bare process that connects to the echo server and waits for one answer. */
const socket = connect({ path: process.argv[2] ?? "" });
socket.write("ready?\n");
socket.once("data", () => process.exit(0));
