/**
 * What the pieces of a height cost on this machine: `npm run bench:costs -- [--out FILE] [--messages 400]`. Prints them
 * and writes them as JSON (default bench/results/costs.json), from which the simulator takes the time that it charges.
 * CPU µs, lower decile of interleaved rounds; absolute figures hold for one machine, so they travel with its name.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import {
  applyBlock,
  type BlockId,
  type ChainState,
  type Commit,
  decodeBlock,
  decodeVote,
  encodeVote,
  makePartSet,
  type Vote,
  VoteType,
  validateBlock,
  voteSignBytes,
} from "@quorate/chain";
import { type ConsensusState, type Input, initialState, step } from "@quorate/consensus";
import { ed25519Signer, nativeBackend, type SignatureCheck } from "@quorate/crypto";
import { createVerifier } from "@quorate/gossip";
import { decodePack } from "@quorate/gossip/core";
import { openStore } from "@quorate/store";
import { openWal, threadDisk } from "@quorate/wal";
import {
  blockId as coreBlockId,
  precommit,
  prevote,
  proposal,
  startHeight,
  TIME,
  TIME_MS,
  validatorSet,
} from "../packages/consensus/test/harness/fixtures.ts";
import { encodeItem, joinPack } from "../packages/gossip/src/topics/items.ts";
import { makeChain, nextBlock, Signers } from "../packages/node/test/support/chain.ts";
import { median, processCpu, quantile, threadCpu, type Work } from "./support/measure.ts";
import { networkCosts } from "./support/network-costs.ts";
import { optionsOf } from "./support/options.ts";

const values = optionsOf("bench:costs", {
  out: { type: "string", default: join(import.meta.dirname, "results", "costs.json") },
  messages: { type: "string", default: "400" },
});

/** One line of the result. CPU figures are of the thread or process that `what` names. */
interface Cost {
  readonly us: number;
  readonly what: string;
}

const SIZES = [4, 100] as const;
const MIB = 2 ** 20;
const costs = new Map<string, Cost>();
const note = (name: string, us: number | undefined, what: string): void => {
  const cost = { us: Math.round((us ?? Number.NaN) * 100) / 100, what };
  costs.set(name, cost);
  process.stdout.write(`${name.padEnd(26)} ${cost.us.toFixed(2).padStart(10)} µs   ${what}\n`);
};

await signatures();
await messages();
await core();
await blocks();
await disk();
await network();

const document = {
  machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version },
  unit: "µs; CPU unless the description says otherwise",
  costs: Object.fromEntries(costs),
};
await writeFile(values.out, `${JSON.stringify(document, null, 2)}\n`);
process.stdout.write(`written to ${values.out}\n`);

function vote(set: ReturnType<typeof validatorSet>, index: number): Vote {
  return prevote(set, index, 0, coreBlockId("costs"));
}

async function signatures(): Promise<void> {
  const chain = makeChain(64);
  const state = chain.start;
  const made = nextBlock(state, null);
  const signers = new Signers(chain, state);
  const checks = chain.keys.seeds.map((_, index): SignatureCheck => {
    const signed = signers.vote(index, VoteType.prevote, 0, made.blockId);
    const publicKey = state.validators.validators[index]?.pubKey ?? new Uint8Array(32);
    return { publicKey, message: voteSignBytes(chain.genesis.chainId, signed), signature: signed.signature };
  });
  const [first] = checks as [SignatureCheck];
  const signer = ed25519Signer(chain.keys.seeds[0] ?? new Uint8Array(32));
  const verifier = createVerifier({ workers: 1 });
  const times = async (count: number, size: number): Promise<void> => {
    for (let i = 0; i < count; i++) await verifier.verify(checks.slice(0, size));
  };
  const works: Work[] = [
    {
      name: "sign",
      run: (count) => {
        for (let i = 0; i < count; i++) signer.sign(first.message);
      },
    },
    {
      name: "verify",
      run: (count) => {
        for (let i = 0; i < count; i++) nativeBackend.verify(checks[i % checks.length] ?? first);
      },
    },
    { name: "pool", run: (count) => times(count, 64) },
  ];
  const thread = await threadCpu(works.slice(0, 2));
  const pool = await threadCpu(works.slice(2), { rounds: 12, roundMs: 100 });
  const whole = await processCpu(works.slice(2), { rounds: 12, roundMs: 100 });
  note("sign", thread.get("sign"), "one vote, main thread");
  note("verify", thread.get("verify"), "one signature on the main thread, OpenSSL, key imported before");
  note(
    "pool_batch",
    pool.get("pool"),
    "main thread, handing 64 signatures to a worker and taking the verdicts",
  );
  note(
    "pool_signature",
    ((whole.get("pool") ?? Number.NaN) - (pool.get("pool") ?? 0)) / 64,
    "one signature of a batch of 64, worker thread",
  );
  const single = createVerifier({ workers: 1, inlineBelow: 1 });
  const wall: number[] = [];
  for (let i = 0; i < 400; i++) {
    const began = performance.now();
    await single.verify([first]);
    wall.push((performance.now() - began) * 1000);
  }
  await single.close();
  note(
    "pool_round_trip",
    Math.max(0, quantile(wall, 0.25) - (costs.get("pool_signature")?.us ?? 0)),
    "wall: a batch's way to a worker and back, verification itself left out",
  );
  await verifier.close();
}

async function messages(): Promise<void> {
  const set = validatorSet(Array.from({ length: 64 }, () => 1n));
  const votes = set.validators.map((_, index) => vote(set, index));
  const [one] = votes as [Vote];
  const encoded = encodeVote(one);
  const pack = joinPack(votes.map((each) => encodeItem({ kind: "vote", vote: each })));
  const kinds = new Set(["vote"] as const);
  const thread = await threadCpu([
    {
      name: "encode",
      run: (count) => {
        for (let i = 0; i < count; i++) encodeVote(one);
      },
    },
    {
      name: "decode",
      run: (count) => {
        for (let i = 0; i < count; i++) decodeVote(encoded);
      },
    },
    {
      name: "pack",
      run: (count) => {
        for (let i = 0; i < count; i++)
          joinPack(votes.map((each) => encodeItem({ kind: "vote", vote: each })));
      },
    },
    {
      name: "unpack",
      run: (count) => {
        for (let i = 0; i < count; i++) decodePack(pack, kinds);
      },
    },
  ]);
  note("encode_vote", thread.get("encode"), "to its canonical bytes");
  note("decode_vote", thread.get("decode"), "with every check of the decoder");
  note(
    "pack_vote",
    (thread.get("pack") ?? Number.NaN) / 64,
    "per vote of a gossip pack of 64, encoding included",
  );
  note(
    "unpack_vote",
    (thread.get("unpack") ?? Number.NaN) / 64,
    "per vote of a gossip pack of 64, decoding included",
  );
}

/** A height of the pure core as a validator sees it: proposal, all votes, decision. */
async function core(): Promise<void> {
  const works = SIZES.map((size): Work => {
    const inputs = heightInputs(size);
    return {
      name: `core_${size}`,
      run: (count) => {
        for (let i = 0; i < count; i++) {
          let state: ConsensusState = initialState();
          for (const input of inputs) state = step(state, input).state;
        }
      },
    };
  });
  const thread = await threadCpu(works);
  for (const size of SIZES) {
    note(
      `core_input_${size}`,
      (thread.get(`core_${size}`) ?? Number.NaN) / heightInputs(size).length,
      `one input of the core, mean over a height of ${size} validators`,
    );
  }
}

function heightInputs(size: number): Input[] {
  const set = validatorSet(Array.from({ length: size }, () => 1n));
  const id: BlockId = coreBlockId("costs");
  const own = 1;
  const start = startHeight(set, own);
  const { height } = start;
  const proposer = set.validators[0]?.address ?? new Uint8Array(20);
  const others = set.validators.map((_, index) => index).filter((index) => index !== own);
  return [
    start,
    { kind: "timeout", timeout: { kind: "new_height", height, round: 0 } },
    { kind: "body", height, blockId: id, time: TIME, proposerAddress: proposer },
    { kind: "proposal", proposal: proposal(0, id), receivedAtMs: TIME_MS },
    { kind: "verdict", height, blockId: id, verdict: "valid" },
    { kind: "signed_vote", height, round: 0, vote: prevote(set, own, 0, id) },
    ...others.map((index): Input => ({ kind: "vote", vote: prevote(set, index, 0, id) })),
    { kind: "signed_vote", height, round: 0, vote: precommit(set, own, 0, id) },
    ...others.map((index): Input => ({ kind: "vote", vote: precommit(set, index, 0, id) })),
  ];
}

/** The second block of a chain, with a full last commit. */
function secondBlock(
  size: number,
  bodyBytes: number,
): { before: ChainState; block: ReturnType<typeof nextBlock>; commit: Commit; after: ChainState } {
  const chain = makeChain(size, { maxBlockBytes: 4 * MIB });
  const first = nextBlock(chain.start, null);
  const everybody = chain.keys.seeds.map((_, index) => index);
  const lastCommit = new Signers(chain, chain.start).commit(0, first.blockId, everybody);
  const before = applyBlock(chain.start, first.block, first.blockId);
  const txs = Array.from({ length: Math.ceil(bodyBytes / 256) }, (_, i) => new Uint8Array(256).fill(i & 255));
  const block = nextBlock(before, lastCommit, { txs });
  const commit = new Signers(chain, before).commit(0, block.blockId, everybody);
  return { before, block, commit, after: applyBlock(before, block.block, block.blockId) };
}

async function blocks(): Promise<void> {
  const works = SIZES.map((size): Work => {
    const { before, block } = secondBlock(size, 0);
    return {
      name: `apply_${size}`,
      run: (count) => {
        for (let i = 0; i < count; i++) {
          const decoded = decodeBlock(block.bytes);
          validateBlock(before, decoded);
          applyBlock(before, decoded, block.blockId);
        }
      },
    };
  });
  const large = secondBlock(4, MIB);
  works.push(
    {
      name: "hash",
      run: (count) => {
        for (let i = 0; i < count; i++) makePartSet(large.block.bytes);
      },
    },
    {
      name: "large",
      run: (count) => {
        for (let i = 0; i < count; i++) validateBlock(large.before, decodeBlock(large.block.bytes));
      },
    },
  );
  const thread = await threadCpu(works, { roundMs: 40 });
  for (const size of SIZES) {
    note(
      `block_${size}`,
      thread.get(`apply_${size}`),
      `decode, validate (signatures left out) and apply an empty block, ${size} validators`,
    );
  }
  note("parts_mib", thread.get("hash"), "cut 1 MiB of block into parts and hash them");
  note(
    "block_mib",
    thread.get("large"),
    "decode and validate a block with 1 MiB of transactions of 256 bytes",
  );
}

async function disk(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-costs-"));
  const writer = threadDisk();
  const wal = await openWal({ dir: join(dir, "wal"), coreVersion: 1 }, writer);
  const record = new Uint8Array(256).fill(7);
  const appended = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      wal.append(1, record);
      await wal.sync();
    }
  };
  const wall: number[] = [];
  for (let i = 0; i < 600; i++) {
    const began = performance.now();
    await appended(1);
    wall.push((performance.now() - began) * 1000);
  }
  note("wal_sync_wall", median(wall), "wall: append 256 bytes and sync, through the writer thread");
  note("wal_sync_wall_p95", quantile(wall, 0.95), "wall, 95th percentile");
  const thread = await threadCpu([{ name: "wal", run: appended }], { roundMs: 60 });
  note("wal_sync", thread.get("wal"), "main thread, append 256 bytes and sync");
  await wal.close();
  await writer.close();
  for (const size of SIZES) await stored(join(dir, String(size)), size);
  await rm(dir, { recursive: true, force: true });
}

async function stored(dir: string, size: number): Promise<void> {
  const heights = 120;
  const chain = makeChain(size);
  const everybody = chain.keys.seeds.map((_, index) => index);
  let state = chain.start;
  let lastCommit: Commit | null = null;
  const decided: { made: ReturnType<typeof nextBlock>; commit: Commit; state: ChainState }[] = [];
  for (let i = 0; i < heights; i++) {
    const made = nextBlock(state, lastCommit);
    const commit: Commit = new Signers(chain, state).commit(0, made.blockId, everybody);
    state = applyBlock(state, made.block, made.blockId);
    decided.push({ made, commit, state });
    lastCommit = commit;
  }
  const store = await openStore({ dir });
  const wall: number[] = [];
  const cpuBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  for (const { made, commit, state: after } of decided) {
    const began = performance.now();
    const body = await store.putBody(made.blockId, made.bytes);
    const height = made.block.header.height;
    await store.commit({
      height,
      blockId: made.blockId,
      body,
      block: made.block,
      seenCommit: commit,
      state: after,
    });
    wall.push((performance.now() - began) * 1000);
  }
  const thread = process.threadCpuUsage(threadBefore);
  const whole = process.cpuUsage(cpuBefore);
  await store.close();
  note(
    `store_commit_wall_${size}`,
    median(wall),
    `wall: body and commit of a height durable, ${size} validators`,
  );
  note(`store_commit_${size}`, (thread.user + thread.system) / heights, "main thread, the same");
  note(
    `store_commit_others_${size}`,
    (whole.user + whole.system - thread.user - thread.system) / heights,
    "other threads, the same",
  );
}

async function network(): Promise<void> {
  const { topic, stream } = await networkCosts(Number(values.messages));
  for (const [name, cost, what] of [
    ["topic", topic, "gossipsub message of 200 bytes"],
    ["stream", stream, "write of 200 bytes to a stream"],
  ] as const) {
    note(`${name}_send`, cost.send, `sender's process, ${what}, whatever the number of peers`);
    note(`${name}_send_peer`, cost.sendPerPeer, `sender's process, ${what}, per peer on top`);
    note(`${name}_receive`, cost.receive, `receiver's process, ${what}, up to the product's own code`);
    note(`${name}_send_peer_kib`, cost.sendPerPeerKib, `sender's process, per peer and KiB of message`);
    note(`${name}_receive_kib`, cost.receiveKib, `receiver's process, per KiB of message`);
  }
}
