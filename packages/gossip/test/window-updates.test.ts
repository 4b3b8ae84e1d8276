import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { WindowUpdates } from "../src/host/window-updates.ts";

function frame(type: number, flags: number, stream: number, length: number, body = 0): Uint8Array {
  const bytes = new Uint8Array(12 + body);
  const view = new DataView(bytes.buffer);
  view.setUint8(1, type);
  view.setUint16(2, flags);
  view.setUint32(4, stream);
  view.setUint32(8, length);
  return bytes;
}
const update = (stream: number, bytes: number, flags = 0): Uint8Array => frame(1, flags, stream, bytes);
const granted = (bytes: Uint8Array): number => new DataView(bytes.buffer).getUint32(8);

describe("window updates", () => {
  it("are held back until those of one stream have grown to the threshold, and leave as their sum", () => {
    const updates = new WindowUpdates(1000, 8);
    assert.deepEqual(updates.pass(update(1, 400)), []);
    assert.deepEqual(updates.pass(update(3, 900)), []);
    assert.deepEqual(updates.pass(update(1, 599)), []);
    assert.deepEqual(updates.pass(update(1, 1)), [update(1, 1000)]);
    assert.equal(updates.held, 1);
  });

  it("that open a stream pass at once, and so does everything that is no update", () => {
    const updates = new WindowUpdates(1000, 8);
    for (const bytes of [
      update(1, 0, 1),
      update(1, 0, 2),
      frame(0, 0, 1, 5, 5),
      frame(2, 1, 0, 7),
      frame(3, 0, 0, 0),
      new Uint8Array(3),
    ]) {
      assert.deepEqual(updates.pass(bytes), [bytes]);
    }
  });

  it("of a stream that ends from here are forgotten", () => {
    const updates = new WindowUpdates(1000, 8);
    updates.pass(update(1, 400));
    updates.pass(update(3, 400));
    updates.pass(frame(0, 4, 1, 0));
    updates.pass(update(3, 0, 8));
    assert.equal(updates.held, 0);
  });

  it("of more streams than may live are released, oldest first: streams reset by the other side cost no memory", () => {
    const updates = new WindowUpdates(1000, 2);
    updates.pass(update(1, 10));
    updates.pass(update(3, 20));
    assert.deepEqual(updates.pass(update(5, 30)), [update(1, 10)]);
    assert.equal(updates.held, 2);
  });

  it("lose nothing: what was granted and what is held is what was asked for", () => {
    const asked = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 900 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(asked, (list) => {
        const updates = new WindowUpdates(1000, 8);
        let open = 0;
        for (const [stream, bytes] of list) {
          open += bytes;
          for (const out of updates.pass(update(stream, bytes))) open -= granted(out);
          assert.ok(open >= 0 && open < 3 * 1000);
        }
      }),
    );
  });
});
