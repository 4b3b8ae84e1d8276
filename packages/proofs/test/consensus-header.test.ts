/** ConsensusHeader.sol on the embedded client, and on Geth where it is: what it proves and what it refuses. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Header, headerHash, timeFromMs } from "@quorate/chain";
import { merkleProofs, sha256, utf8Encode } from "@quorate/crypto";
import { decodeErrorResult, encodeFunctionData, type Hex, toHex } from "viem";
import { produceBlock, RemoteError, type Rpc } from "../../devnet-el/test/support/client.ts";
import { startGeth, withoutGeth } from "../../devnet-el/test/support/geth.ts";
import { startEl, testGenesis, type Workspace, workspace } from "../../devnet-el/test/support/process.ts";
import {
  consensusHeaderAbi as abi,
  HASH_FIELDS,
  type HashField,
  hashProof,
  headerFacts,
  inclusionProof,
} from "../src/index.ts";

const CONTRACT: Hex = `0x${"c0".repeat(20)}`;
const artefact = JSON.parse(
  readFileSync(new URL("../../../config/contracts/ConsensusHeader.json", import.meta.url), "utf8"),
) as { abi: unknown; deployedBytecode: Hex };
const FIELDS = Object.keys(HASH_FIELDS) as HashField[];

const digest = (text: string): Uint8Array => sha256(utf8Encode(text));

/** A header that no two heights share a field of. */
function header(height: number): Header {
  const of = (name: string): Uint8Array => digest(`${name} ${height}`);
  return {
    version: { block: 11n, app: 1n },
    chainId: "header-proofs",
    height,
    time: timeFromMs(1_800_000_000_000 + (height % 1_000_000)),
    lastBlockId: { hash: of("last"), parts: { total: 1, hash: of("parts") } },
    lastCommitHash: of("commit"),
    dataHash: of("data"),
    validatorsHash: of("validators"),
    nextValidatorsHash: of("next"),
    consensusHash: of("consensus"),
    appHash: of("app"),
    lastResultsHash: sha256(),
    evidenceHash: sha256(),
    proposerAddress: of("proposer").subarray(0, 20),
  };
}

/** Heights whose varints have one to eight bytes. */
const HEIGHTS = [1, 127, 128, 20_000, 2 ** 31, 2 ** 53 - 1];

interface El {
  readonly eth: Rpc;
  readonly engine: Rpc;
  stop(): Promise<unknown>;
}

test("the abi that the helper exports is that of the compiled contract", () => {
  assert.deepEqual(abi, artefact.abi);
});

for (const [name, start, skip] of [
  ["the embedded client", startEl, false],
  ["Geth", startGeth, withoutGeth],
] as const) {
  describe(`ConsensusHeader on ${name}`, { skip }, () => {
    let space: Workspace;
    let el: El;
    /** Timestamp of the block above each header. */
    const timestamps = new Map<number, bigint>();

    before(async () => {
      const genesis = testGenesis();
      const account = { balance: "0x0", nonce: "0x1", code: artefact.deployedBytecode };
      space = workspace({ ...genesis, alloc: { ...genesis.alloc, [CONTRACT]: account } });
      el = await start(space);
      for (const height of HEIGHTS) {
        const root = toHex(headerHash(header(height)));
        const { executionPayload } = await produceBlock(el.engine, { parentBeaconBlockRoot: root });
        timestamps.set(height, BigInt(executionPayload.timestamp));
      }
    });

    after(async () => {
      await el.stop();
      space.remove();
    });

    const timestampOf = (height: number): bigint => timestamps.get(height)!;

    /** The answer, or the name of the error that the contract refuses with. */
    async function call(data: Hex): Promise<Hex | string> {
      try {
        return await el.eth<Hex>("eth_call", { to: CONTRACT, data }, "latest");
      } catch (error) {
        assert.ok(error instanceof RemoteError);
        return decodeErrorResult({ abi, data: error.data as Hex }).errorName;
      }
    }
    const requireFacts = (timestamp: bigint, facts: ReturnType<typeof headerFacts>): Hex =>
      encodeFunctionData({ abi, functionName: "requireFacts", args: [timestamp, facts] });
    const requireHash = (timestamp: bigint, { index, value, aunts }: ReturnType<typeof hashProof>): Hex =>
      encodeFunctionData({ abi, functionName: "requireHash", args: [timestamp, index, value, aunts] });

    test("proves height, set and app hash of every header at once", async () => {
      for (const height of HEIGHTS) {
        const proven = header(height);
        const answer = await call(requireFacts(timestampOf(height), headerFacts(proven)));
        assert.equal(answer, toHex(headerHash(proven)), String(height));
      }
    });

    test("refuses each of them and each sibling when it is another's", async () => {
      const [height, other] = [20_000, header(128)];
      const facts = headerFacts(header(height));
      const foreign = headerFacts(other);
      const lies = [
        { ...facts, height: facts.height + 1n },
        { ...facts, height: 0n },
        { ...facts, validatorsHash: foreign.validatorsHash },
        { ...facts, appHash: foreign.appHash },
        { ...facts, validatorsHash: facts.appHash, appHash: facts.validatorsHash },
        ...facts.siblings.map((_, at) => ({
          ...facts,
          siblings: facts.siblings.with(at, `0x${"11".repeat(32)}`) as unknown as typeof facts.siblings,
        })),
      ];
      for (const lie of lies) {
        assert.equal(
          await call(requireFacts(timestampOf(height), lie)),
          "Unproven",
          JSON.stringify(String(lie)),
        );
      }
      assert.equal(
        await call(requireFacts(timestampOf(128), facts)),
        "Unproven",
        "a header of another block",
      );
    });

    test("knows no header of a time at which there was no block", async () => {
      const facts = headerFacts(header(1));
      for (const timestamp of [0n, timestampOf(1) - 1_000n, timestampOf(2 ** 53 - 1) + 1n, 2n ** 255n]) {
        assert.equal(await call(requireFacts(timestamp, facts)), "Unknown");
      }
    });

    test("proves each hash of a header alone, at its own place only", async () => {
      const proven = header(20_000);
      const timestamp = timestampOf(20_000);
      for (const field of FIELDS) {
        const proof = hashProof(proven, field);
        assert.equal(await call(requireHash(timestamp, proof)), toHex(headerHash(proven)), field);
        const elsewhere = FIELDS.filter((other) => HASH_FIELDS[other] !== HASH_FIELDS[field]);
        for (const other of elsewhere.slice(0, 3)) {
          const index = BigInt(HASH_FIELDS[other]);
          assert.equal(
            await call(requireHash(timestamp, { ...proof, index })),
            "Unproven",
            `${field} as ${other}`,
          );
        }
        assert.equal(
          await call(requireHash(timestamp, { ...proof, aunts: proof.aunts.slice(1) })),
          "Unproven",
        );
        assert.equal(
          await call(requireHash(timestamp, { ...proof, aunts: [...proof.aunts, proof.value] })),
          "Unproven",
        );
      }
      for (const index of [0n, 4n, 13n, 14n, 2n ** 256n - 1n]) {
        const proof = { ...hashProof(proven, "appHash"), index };
        assert.equal(await call(requireHash(timestamp, proof)), "NotAHash");
      }
    });
  });
}

describe("ConsensusHeader.included", () => {
  let space: Workspace;
  let el: El;
  before(async () => {
    const genesis = testGenesis();
    const account = { balance: "0x0", nonce: "0x1", code: artefact.deployedBytecode };
    space = workspace({ ...genesis, alloc: { ...genesis.alloc, [CONTRACT]: account } });
    el = await startEl(space);
  });
  after(async () => {
    await el.stop();
    space.remove();
  });

  const included = async (root: Uint8Array, proof: ReturnType<typeof inclusionProof>): Promise<boolean> => {
    const { index, total, leaf, aunts } = proof;
    const data = encodeFunctionData({
      abi,
      functionName: "included",
      args: [toHex(root), index, total, leaf, aunts],
    });
    return BigInt(await el.eth<Hex>("eth_call", { to: CONTRACT, data }, "latest")) === 1n;
  };

  test("finds every leaf of trees of 1 to 17 leaves, and no other", async () => {
    for (let total = 1; total <= 17; total++) {
      const leaves = Array.from({ length: total }, (_, i) => digest(`leaf ${i} of ${total}`).subarray(0, i));
      const { root } = merkleProofs(leaves);
      for (let index = 0; index < total; index++) {
        const proof = inclusionProof(leaves, index);
        assert.ok(await included(root, proof), `${index} of ${total}`);
        assert.ok(!(await included(root, { ...proof, leaf: "0xee" })));
        if (total > 1) {
          const other = BigInt((index + 1) % total);
          assert.ok(!(await included(root, { ...proof, index: other })), `${index} as ${other} of ${total}`);
        }
      }
    }
  });

  test("takes neither a root of zeros, nor an index outside, nor too many aunts", async () => {
    const leaves = [digest("a"), digest("b"), digest("c")];
    const { root } = merkleProofs(leaves);
    const proof = inclusionProof(leaves, 1);
    assert.ok(await included(root, proof));
    for (const [wrongRoot, wrong] of [
      [new Uint8Array(32), { ...proof, aunts: [...proof.aunts, ...proof.aunts] }],
      [root, { ...proof, index: 3n }],
      [root, { ...proof, total: 0n }],
      [root, { ...proof, aunts: [] }],
      [root, { ...proof, aunts: [...proof.aunts, toHex(root)] }],
    ] as const) {
      assert.ok(!(await included(wrongRoot, wrong)));
    }
  });
});
