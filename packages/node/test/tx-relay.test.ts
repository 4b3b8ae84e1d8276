/** Transactions between the own execution client and the others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TxRelay } from "../src/tx-relay.ts";
import { GENESIS_MS } from "./support/chain.ts";
import { FakeExecution } from "./support/fake-execution.ts";
import { silent } from "./support/homes.ts";
import { Gate, settled } from "./support/pace.ts";
import { VirtualClock } from "./support/virtual-clock.ts";

function relay(
  gate: Gate,
  enabled = true,
): {
  readonly relay: TxRelay;
  readonly execution: FakeExecution;
  readonly clock: VirtualClock;
  readonly sent: Uint8Array[];
} {
  const execution = new FakeExecution(gate.pace);
  const clock = new VirtualClock(GENESIS_MS);
  const sent: Uint8Array[] = [];
  const made = new TxRelay({
    clock,
    execution,
    log: silent("test"),
    publish: (raws) => void sent.push(...raws),
    queue: () => undefined,
    onPending: () => undefined,
    enabled,
  });
  return { relay: made, execution, clock, sent };
}

test("pending transactions of the own client go out, those of others are handed to it in order", async () => {
  const { relay: made, execution, clock, sent } = relay(new Gate());
  made.start();
  execution.pool = [Uint8Array.of(1)];
  clock.advance(100);
  await settled();
  assert.deepEqual(sent, [Uint8Array.of(1)]);
  made.received(Uint8Array.of(2));
  made.received(Uint8Array.of(3));
  await settled();
  assert.deepEqual(execution.submitted, [Uint8Array.of(2), Uint8Array.of(3)]);
  made.halt();
  await made.settled();
  assert.equal(clock.pending, 0);
});

test("regression: what others send before the own client was started waits for it", async () => {
  const { relay: made, execution } = relay(new Gate());
  made.received(Uint8Array.of(1));
  await settled();
  assert.deepEqual(execution.submitted, []);
  made.start();
  await settled();
  assert.deepEqual(execution.submitted, [Uint8Array.of(1)]);
  made.halt();
});

test("regression: what waits for the own client is bounded in number and in bytes", async () => {
  const gate = new Gate();
  const { relay: made, execution } = relay(gate);
  made.start();
  gate.hold("submit");
  for (let n = 0; n < 300; n++) made.received(new Uint8Array(131_072));
  gate.release("submit");
  await settled();
  assert.equal(execution.submitted.length, 1 + 16_777_216 / 131_072);
  gate.hold("submit");
  for (let n = 0; n < 5000; n++) made.received(Uint8Array.of(1));
  gate.release("submit");
  const before = execution.submitted.length;
  await settled();
  assert.equal(execution.submitted.length - before, 4097);
});

test("regression: what waits for the own client is handed to it together, not one by one", async () => {
  const gate = new Gate();
  const { relay: made } = relay(gate);
  made.start();
  gate.hold("submit");
  for (let n = 0; n < 500; n++) made.received(Uint8Array.of(1));
  await settled();
  assert.equal(gate.blocked.length, 1, "the first goes at once");
  gate.release("submit");
  gate.hold("submit");
  await settled();
  assert.equal(gate.blocked.length, 400);
  gate.release("submit");
  made.halt();
  await made.settled();
});

test("regression: a stopped relay does not wait for a client that hangs", async () => {
  const gate = new Gate();
  const { relay: made, clock, sent, execution } = relay(gate);
  gate.hold("pending");
  made.start();
  clock.advance(100);
  execution.pool = [Uint8Array.of(1)];
  made.halt();
  gate.release("pending");
  await made.settled();
  assert.deepEqual(sent, [], "what comes after the halt is not sent");
  assert.equal(clock.pending, 0);
});

test("a relay that is switched off neither asks nor takes", async () => {
  const { relay: made, clock, execution } = relay(new Gate(), false);
  made.start();
  made.received(Uint8Array.of(1));
  await settled();
  assert.equal(clock.pending, 0);
  assert.deepEqual(execution.submitted, []);
});
