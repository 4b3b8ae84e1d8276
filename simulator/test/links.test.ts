/** Networks in which not everybody has a link to everybody. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Random } from "../src/core/random.ts";
import { drawPlan } from "../src/faults/draw.ts";
import {
  diameter,
  drawLinks,
  isConnected,
  LEAST_SPARSE,
  LINK_SHAPES,
  type LinkShape,
  neighbours,
} from "../src/network/links.ts";
import { LINK_MS, MEGABYTE_MS, paceOf } from "./pace.ts";

const SPARSE = LINK_SHAPES.filter((shape) => shape !== "mesh");

describe("the links of a seed", () => {
  it("connect everybody, whoever lies, and less than a full mesh does", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom(...SPARSE),
        fc.integer({ min: LEAST_SPARSE, max: 9 }).chain((validators) =>
          fc.record({
            validators: fc.constant(validators),
            liars: fc.uniqueArray(fc.nat(validators - 1), { maxLength: Math.ceil(validators / 3) - 1 }),
          }),
        ),
        (seed, shape, { validators, liars }) => {
          const links = drawLinks(new Random(`${seed}`), validators, liars, shape);
          // Where no order of nodes will do, the network is a full mesh.
          if (links === null) return;
          assert.equal(links.shape, shape);
          assert.ok(isConnected(links, validators, []));
          assert.ok(isConnected(links, validators, liars));
          for (let node = 0; node < validators; node++)
            assert.ok(!neighbours(links, node).includes(node) && neighbours(links, node).length > 0);
        },
      ),
    );
  });

  it("are less than a full mesh in a quarter of the seeds, of every shape, with large blocks in half of them", () => {
    const plans = Array.from({ length: 600 }, (_, i) => drawPlan(i + 1));
    const able = plans.filter(({ validators }) => validators >= LEAST_SPARSE);
    const sparse = able.flatMap(({ links, load }) => (links === null ? [] : [{ links, load }]));
    assert.ok(Math.abs(sparse.length / able.length - 0.25) < 0.05, `${sparse.length} of ${able.length}`);
    for (const shape of SPARSE)
      assert.ok(sparse.filter(({ links }) => links.shape === shape).length >= 10, shape);
    const large = sparse.filter(({ load }) => load.bytes > 65_536).length;
    assert.ok(Math.abs(large / sparse.length - 0.5) < 0.1, `${large} of ${sparse.length}`);
  });

  it("change nothing else that a seed draws", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { links, load, faults, maxBlockBytes, ...drawn } = drawPlan(seed);
      const mesh = drawPlan(seed, { links: "mesh" });
      const { links: none, load: _load, faults: same, maxBlockBytes: _bytes, ...rest } = mesh;
      assert.equal(none, null);
      assert.deepEqual(rest, drawn);
      const kinds = (list: typeof faults): unknown => list.map(({ id, atMs, kind }) => ({ id, atMs, kind }));
      assert.deepEqual(kinds(same), kinds(faults));
      if (links === null)
        assert.deepEqual(
          { load, faults, maxBlockBytes },
          { load: mesh.load, faults: same, maxBlockBytes: mesh.maxBlockBytes },
        );
    }
  });
});

describe("without faults a height takes three times the longest way through the network, whatever its shape", () => {
  /** A round of the disk and the signatures of a height; then what a relay takes. */
  const OWN_MS = 10;
  const HOP_MS = 2;
  /** What a network that is no full mesh waits at most for links that cannot be counted, and a height. */
  const START_MS = 8_000;
  const limitMs = (shape: LinkShape, blockBytes: number, hops: number): number => {
    const body = (blockBytes / 1_000_000) * MEGABYTE_MS;
    // A body goes by its own stream over the first link, in parts of 64 KiB behind it.
    return 3 * hops * (LINK_MS + HOP_MS) + OWN_MS + (shape === "mesh" ? 1 : hops) * body;
  };
  for (const shape of LINK_SHAPES)
    for (const blockBytes of [0, 300_000])
      it(`${shape}, blocks of ${blockBytes} bytes`, async (context) => {
        const validators = shape === "mesh" || shape === "sentries" ? 4 : 6;
        const pace = await paceOf(shape, { validators, blockBytes, heights: 3, known: blockBytes > 0 });
        const hops = diameter(pace.links, validators);
        context.diagnostic(`${hops} links: ${pace.medianMs} ms a height, ${pace.mostMs} ms at most`);
        assert.ok(pace.firstMs <= START_MS, `the first height took ${pace.firstMs} ms`);
        assert.equal(pace.laterRounds, 0);
        assert.ok(pace.mostMs <= limitMs(shape, blockBytes, hops), `${pace.mostMs} ms`);
        assert.equal(pace.asked, 0, "no body is asked for: all are forwarded");
      });
});
