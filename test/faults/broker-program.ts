// The broker, which strikes itself where the plan says so; or a stranger with the very same arguments.
import { installFailPoint } from "./fail-point.ts";
import { BYSTANDER_VARIABLE } from "./plan.ts";

if (process.env[BYSTANDER_VARIABLE] === undefined) {
  installFailPoint("broker");
  void import("../../src/broker/main.ts");
} else {
  setInterval(() => {}, 1e6);
}
