/** The attacking process: one order on stdin, its deeds on stdout; ends with the order's time, or when stdin does. */
import { createInterface } from "node:readline";
import type { AttackerLine, Order } from "../order.ts";
import { ATTACKS } from "./attacks.ts";
import { Field } from "./field.ts";

/** Beyond its time an attack has so long to begin and to end its connections. */
const GRACE_MS = 40_000;

function say(line: AttackerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const lines = createInterface({ input: process.stdin });
let field: Field | null = null;
lines.on("line", (line) => {
  if (field !== null) {
    field.stop();
    return;
  }
  const order = JSON.parse(line) as Order;
  field = new Field(order);
  run(order, field).then(
    () => process.exit(0),
    (error: unknown) => {
      say({ event: "failed", reason: error instanceof Error ? error.message : String(error) });
      process.exit(1);
    },
  );
});
// Nobody is there any more who could end it.
lines.once("close", () => process.exit(1));

async function run(order: Order, on: Field): Promise<void> {
  const attack = ATTACKS[order.attack];
  if (attack === undefined) throw new Error(`there is no attack ${order.attack}`);
  setTimeout(() => process.exit(1), order.seconds * 1000 + GRACE_MS).unref();
  say({ event: "begun" });
  await attack(on);
  say({ event: "end", ...on.deeds });
}
