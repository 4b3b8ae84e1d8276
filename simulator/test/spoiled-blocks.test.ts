/** Every field of a block that a liar can break, one at a time, and which rule of the node catches it. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  type Block,
  ChainError,
  type ChainState,
  CommitFlag,
  decodeBlock,
  encodeBlock,
  isTimely,
  parentBeaconBlockRoot,
  timeToMs,
  validateBlock,
  validateProposer,
} from "@quorate/chain";
import { type MadeBlock, PAYLOAD_SPOILS, SPOILS, spoiled, spoilsFor } from "../src/byzantine/blocks.ts";
import { Random } from "../src/core/random.ts";
import { keyedHashes } from "../src/crypto/keyed-hash.ts";
import { type Heard, heard } from "./support.ts";

/** What refuses it: a rule of the chain, a signature, the clock, or the execution client by what it says. */
const REFUSED: Readonly<Record<string, string>> = {
  lastCommitHash: "BAD_LAST_COMMIT_HASH",
  dataHash: "BAD_DATA_HASH",
  validatorsHash: "BAD_VALIDATORS_HASH",
  nextValidatorsHash: "BAD_NEXT_VALIDATORS_HASH",
  consensusHash: "BAD_CONSENSUS_HASH",
  appHash: "BAD_APP_HASH",
  lastResultsHash: "BAD_LAST_RESULTS_HASH",
  evidenceHash: "BAD_EVIDENCE_HASH",
  proposerAddress: "BAD_PROPOSER",
  "chain id": "BAD_CHAIN_ID",
  height: "BAD_HEIGHT",
  "block version": "DECODE",
  "app version": "BAD_VERSION",
  "last block id: hash": "BAD_LAST_BLOCK_ID",
  "last block id: parts": "BAD_LAST_BLOCK_ID",
  "no last block id": "BAD_LAST_BLOCK_ID",
  "time before the last block": "BAD_TIME",
  "time far ahead": "ENVELOPE_TIMESTAMP",
  "time off a millisecond": "BAD_TIME_GRANULARITY",
  "a false word of the transactions": "BAD_DATA_HASH",
  "no transactions": "ENVELOPE_MISSING",
  "no envelope": "DECODE",
  "an envelope of the future": "DECODE",
  "a byte too many in the envelope": "DECODE",
  "another height of the last commit": "BAD_LAST_COMMIT",
  "another round of the last commit": "BAD_SIGNATURE",
  "another block of the last commit": "BAD_LAST_COMMIT",
  "too few signatures of the last commit": "BAD_LAST_COMMIT",
  "a place too many in the last commit": "BAD_LAST_COMMIT",
  "no last commit": "BAD_LAST_COMMIT",
  "last commit: signature": "BAD_SIGNATURE",
  "last commit: time": "BAD_SIGNATURE",
  "last commit: address": "BAD_LAST_COMMIT",
  "last commit: nil": "BAD_SIGNATURE",
  "payload: parentHash": "ENVELOPE_PARENT",
  "payload: feeRecipient": "ENVELOPE_FEE_RECIPIENT",
  "payload: stateRoot": "INVALID: blockhash mismatch",
  "payload: receiptsRoot": "INVALID: blockhash mismatch",
  "payload: logsBloom": "INVALID: blockhash mismatch",
  "payload: prevRandao": "ENVELOPE_PREV_RANDAO",
  "payload: blockHash": "INVALID: blockhash mismatch",
  "payload: blockNumber": "ENVELOPE_NUMBER",
  "payload: gasLimit above": "ENVELOPE_GAS_LIMIT",
  "payload: gasLimit below": "ENVELOPE_GAS_LIMIT",
  "payload: gasUsed within": "INVALID: blockhash mismatch",
  "payload: gasUsed above": "ENVELOPE_GAS_USED",
  "payload: timestamp": "ENVELOPE_TIMESTAMP",
  "payload: extraData": "INVALID: blockhash mismatch",
  "payload: baseFeePerGas": "INVALID: blockhash mismatch",
  "payload: blobGasUsed": "ENVELOPE_BLOBS",
  "payload: excessBlobGas": "INVALID: blockhash mismatch",
  "payload: withdrawals": "ENVELOPE_WITHDRAWALS",
  "payload: executionRequests": "INVALID: blockhash mismatch",
  "payload: all kinds of executionRequests": "INVALID: blockhash mismatch",
  "a chain without payloads": "ENVELOPE_VERSION",
  "a transaction too many": "INVALID: blockhash mismatch",
  "an empty transaction": "BAD_TRANSACTION",
  "a blob transaction": "ENVELOPE_BLOBS",
};

let chain: Heard;
/** A block that was decided, with a last commit that all signed, the round of it, and the state before it. */
let block: Block;
let round: number;
let state: ChainState;
/** The node that is asked. */
const ASKED = 0;

before(async () => {
  chain = await heard(8, "engine");
  const batches = chain.stored.filter(({ node }) => node === ASKED).map(({ batch }) => batch);
  const full = batches.find(
    ({ height, block: { lastCommit } }) =>
      height > 1 && lastCommit.signatures.every(({ flag }) => flag === CommitFlag.commit),
  );
  assert.ok(full !== undefined);
  ({ block } = full);
  ({ round } = full.seenCommit);
  const last = batches.find(({ height }) => height === full.height - 1);
  assert.ok(last !== undefined);
  ({ state } = last);
});

/** As a node judges a proposal that it heard when it was made. */
async function verdictOn(proposed: MadeBlock): Promise<string> {
  let judged: Block;
  try {
    judged = decodeBlock(proposed.bytes);
    const checks = validateBlock(state, judged, proposed.bytes.length);
    if (!checks.every((check) => keyedHashes.verify(check))) return "BAD_SIGNATURE";
    validateProposer(state, judged, round, -1);
  } catch (error) {
    if (error instanceof ChainError) return error.code;
    throw error;
  }
  if (!isTimely(state.params, timeToMs(judged.header.time), timeToMs(block.header.time), round))
    return "UNTIMELY";
  const { scheduler, members } = chain.cluster;
  const client = members[ASKED]?.process?.execution?.client;
  assert.ok(client !== undefined);
  let verdict: string | null = null;
  const given = new AbortController();
  void client.validate(judged, parentBeaconBlockRoot(state), given.signal).then((answer) => {
    verdict = answer.kind === "invalid" ? `INVALID: ${answer.reason}` : answer.kind;
  });
  await scheduler.run(scheduler.now + 1_000, () => verdict !== null);
  given.abort();
  return verdict ?? "no answer";
}

describe("a proposal", () => {
  it("as an honest node made it is valid: what is refused below is refused for its one fault", async () => {
    const bytes = encodeBlock(block);
    assert.equal(await verdictOn({ block, bytes, blockId: state.lastBlockId! }), "valid");
  });

  for (const [name, why] of Object.entries(REFUSED)) {
    it(`with a false ${name} is refused: ${why}`, async () => {
      const broken = spoiled(block, name, new Random(`spoil ${name}`));
      assert.ok(broken !== null);
      assert.equal(await verdictOn(broken), why);
    });
  }

  it("can be broken in no way that is not above, and on a chain without payloads in those that need none", () => {
    assert.deepEqual(new Set(spoilsFor(block)), new Set(Object.keys(REFUSED)));
    const plain = { ...block, txs: [Uint8Array.of(0)] };
    assert.deepEqual(spoilsFor(plain), Object.keys(SPOILS));
    for (const name of Object.keys(PAYLOAD_SPOILS).filter((each) => each.startsWith("payload: "))) {
      assert.equal(spoiled(plain, name, new Random(name)), null);
    }
  });
});
