import assert from "node:assert/strict";
import { test } from "node:test";
import { type BlockId, DEFAULT_PARAMS, type Proposal, timeFromMs } from "@quorate/chain";
import { createMetrics } from "../src/metrics/index.ts";
import { ProposalTimes } from "../src/metrics/proposals.ts";

const NOW_MS = 1_800_000_000_000;
const [ALICE, BOB] = [new Uint8Array(20).fill(1), new Uint8Array(20).fill(2)];
const blockId: BlockId = { hash: new Uint8Array(32), parts: { total: 1, hash: new Uint8Array(32) } };

/** What the log says of proposals that are `aheadS` seconds ahead of this machine's clock. */
function said(
  proposals: readonly { readonly by?: Uint8Array; readonly aheadS: number; polRound?: number }[],
) {
  const metrics = createMetrics("quorate-test", "1.2.3");
  const lines: { readonly message: string; readonly facts: Readonly<Record<string, unknown>> }[] = [];
  const silent = (): void => undefined;
  const times = new ProposalTimes(metrics, {
    ...{ debug: silent, info: silent, error: silent },
    warn: (message, facts = {}) => lines.push({ message, facts }),
  });
  for (const [index, { by = ALICE, aheadS, polRound = -1 }] of proposals.entries()) {
    const timestamp = timeFromMs(NOW_MS + aheadS * 1000);
    const proposal: Proposal = {
      ...{ height: 10 + index, round: 0, polRound, blockId, timestamp },
      signature: new Uint8Array(64),
    };
    times.received(DEFAULT_PARAMS, proposal, by!, NOW_MS);
  }
  metrics.close();
  return lines;
}

test("timely proposals are not worth a word, nor are untimely ones of a POL round", () => {
  assert.deepEqual(said([{ aheadS: 0 }, { aheadS: -2 }, { aheadS: 3600, polRound: 0 }]), []);
});

test("an untimely proposal is told with the distance, its proposer and what to do", () => {
  const [ahead, ...more] = said([{ aheadS: 3600 }]);
  assert.equal(more.length, 0);
  assert.match(ahead!.message, /3600\.0 s ahead of this machine's clock: this node votes nil/);
  assert.deepEqual([ahead!.facts["height"], ahead!.facts["proposer"]], [10, "01".repeat(20)]);
  assert.match(String(ahead!.facts["do"]), /synchronise/);
  assert.match(said([{ aheadS: -75 }])[0]!.message, /75\.0 s behind/);
});

test("each proposer is told once until it is timely again", () => {
  const proposals = [
    { aheadS: 60 },
    { aheadS: 60 },
    { by: BOB!, aheadS: 60 },
    { aheadS: 0 },
    { aheadS: 60 },
    { by: BOB!, aheadS: 60 },
  ];
  assert.deepEqual(
    said(proposals).map(({ facts }) => facts["height"]),
    [10, 12, 14],
  );
});
