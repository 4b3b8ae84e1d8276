import assert from "node:assert/strict";
import { test } from "node:test";
import { mutateBytes } from "../mutate.ts";
import { Random } from "../random.ts";

test("regression: a Buffer is changed like any bytes, and stays as it was itself", () => {
  for (let seed = 0; seed < 2_000; seed++) {
    const whole = Buffer.alloc(40, 0xaa);
    const plain = new Uint8Array(40).fill(0xaa);
    const changed = mutateBytes(whole, new Random(seed), [whole]);
    assert.deepEqual([...changed], [...mutateBytes(plain, new Random(seed), [plain])], `seed ${seed}`);
    assert.deepEqual([...whole], [...plain], `seed ${seed}`);
  }
});
