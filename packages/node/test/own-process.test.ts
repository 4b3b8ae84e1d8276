import assert from "node:assert/strict";
import { test } from "node:test";
import { setUpOwnProcess } from "@quorate/node";

test("a digest that is kept holds 8 KiB of the process that runs a node, not the 64 KiB of Node's default", () => {
  setUpOwnProcess();
  // What is left of the block that Node began with.
  const first = Buffer.allocUnsafe(1).buffer;
  let kept = Buffer.allocUnsafe(32);
  for (let cut = 0; kept.buffer === first && cut < 65_536; cut += 32) kept = Buffer.allocUnsafe(32);
  assert.equal(kept.buffer.byteLength, 8 * 1024);
});
