/**
 * Signatures per second and core of each backend: `npm run bench:verify -- [--rounds 9] [--ms 120] [--no-write]`. All of them
 * in turn, round by round, in one thread; CPU time of that thread. Writes bench/results/verify.json and the document. Exit
 * 0, or 1 when a goal is missed.
 */
import { createHash, hash } from "node:crypto";
import { ed25519Signer, nativeBackend, nobleBackend, type SignatureCheck } from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { createVerifier } from "@quorate/gossip";
import { instantiateEd25519 } from "../packages/crypto/src/wasm/module.ts";
import { writeDocument } from "./report/write.ts";
import { inLine, loopUnder, throughVerifier } from "./support/loop.ts";
import { optionsOf } from "./support/options.ts";
import { environment, writeResults } from "./support/results.ts";
import {
  loopRows,
  missedVerification,
  type Verification,
  type VerificationCase,
  verificationRows,
} from "./support/verification.ts";

const values = optionsOf("bench:verify", {
  rounds: { type: "string", default: "9" },
  ms: { type: "string", default: "120" },
  "no-write": { type: "boolean", default: false },
});
const rounds = Number(values.rounds);
const roundMs = Number(values.ms);

/** A vote's sign bytes are about as long. */
const MESSAGE_BYTES = 140;
const signers = Array.from({ length: 256 }, (_, i) =>
  ed25519Signer(createHash("sha256").update(`signer ${i}`).digest()),
);

function signed(count: number, keys: number): SignatureCheck[] {
  return Array.from({ length: count }, (_, i) => {
    const { publicKey, sign } = signers[i % keys]!;
    const message = new Uint8Array(MESSAGE_BYTES).map((_, at) => (at * 7 + i) & 255);
    return { publicKey, message, signature: sign(message) };
  });
}

interface Work {
  /** What one call counts for. */
  readonly count: number;
  readonly run: () => boolean;
  readonly us: number[];
}

interface Subject {
  readonly figure: Omit<VerificationCase, "us">;
  readonly work: Work;
}

function singly(backend: string, verify: (check: SignatureCheck) => boolean): Subject {
  const checks = signed(64, 64);
  let next = 0;
  const run = (): boolean => verify(checks[next++ & 63]!);
  return { figure: { backend, batch: 1, keys: 64, goal: 0 }, work: { count: 1, run, us: [] } };
}

const wasm = createWasmBackend();

function batches(batch: number, keys: number, goal = 0): Subject {
  const checks = signed(batch, keys);
  const run = (): boolean => wasm.verifyBatch(checks).every(Boolean);
  return { figure: { backend: "wasm", batch, keys, goal }, work: { count: batch, run, us: [] } };
}

const subjects: readonly Subject[] = [
  singly("OpenSSL", nativeBackend.verify),
  singly("noble", nobleBackend.verify),
  singly("wasm", wasm.verify),
  batches(4, 4),
  batches(8, 8),
  batches(32, 32, 40_000),
  batches(64, 64),
  // The commit of 100 validators within 3 ms.
  batches(100, 100, 33_333),
  batches(256, 256),
  batches(32, 4, 65_000),
  batches(64, 4, 65_000),
  batches(256, 4),
];

const module = instantiateEd25519();
const message = new Uint8Array(64 + MESSAGE_BYTES).fill(7);
const memory = new Uint8Array(module.memory.buffer);
/** The digest that a signature needs, on either side, from bytes that lie outside to bytes that lie in the module. */
const parts: readonly { readonly what: string; readonly work: Work }[] = [
  {
    what: "SHA-512 of a vote, by the module",
    work: {
      count: 1,
      us: [],
      run: () => {
        memory.set(message.subarray(64), module.MESSAGE.value);
        module.digest(0, MESSAGE_BYTES);
        return true;
      },
    },
  },
  {
    what: "SHA-512 of a vote, by node:crypto",
    work: {
      count: 1,
      us: [],
      run: () => {
        memory.set(hash("sha512", message, "buffer"), module.DIGESTS.value);
        return true;
      },
    },
  },
];

const works = [...subjects, ...parts].map(({ work }) => work);
const cpuUs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return user + system;
};

/** Calls that take about a round's time; and the code is compiled by then. */
const calls = works.map(({ run }) => {
  const before = cpuUs();
  let times = 0;
  for (; cpuUs() - before < roundMs * 1000; times++)
    if (!run()) throw new Error("a good signature is refused");
  return times;
});
for (let round = 0; round < rounds; round++) {
  for (const [i, { run, count, us }] of works.entries()) {
    const before = cpuUs();
    for (let call = 0; call < calls[i]!; call++) run();
    us.push((cpuUs() - before) / calls[i]! / count);
  }
}

const LOOP_MS = 1500;
const LOOP_ROUNDS = Math.max(1, Math.ceil(rounds / 2));
const votes = signed(200, 100);
const pool = createVerifier({ workers: 1 });
const loops = [
  { what: "none: an idle loop", receive: inLine, size: 0, goal: false },
  { what: "in line, by OpenSSL", receive: inLine, size: 1, goal: false },
  { what: "one vote a message, one worker", receive: throughVerifier(pool), size: 1, goal: true },
  { what: "ten votes a message, one worker", receive: throughVerifier(pool), size: 10, goal: true },
].map((each) => ({ ...each, p99Ms: [] as number[], cpu: [] as number[], perSecond: [] as number[] }));
// Its thread has loaded its code when the first of these is answered by it.
for (let group = 0; group < 8; group++) await pool.verify(votes);
for (let round = 0; round < LOOP_ROUNDS; round++) {
  for (const { receive, size, p99Ms, cpu, perSecond } of loops) {
    const sample = await loopUnder(receive, votes, size, LOOP_MS);
    p99Ms.push(sample.p99Ms);
    cpu.push(sample.cpu);
    perSecond.push(sample.perSecond);
  }
}
await pool.close();

const result: Verification = {
  on: environment(),
  cases: subjects.map(({ figure, work }) => ({ ...figure, us: work.us })),
  loops: loops.map(({ what, p99Ms, cpu, perSecond, goal }) => ({ what, p99Ms, cpu, perSecond, goal })),
  parts: parts.map(({ what, work }) => ({ what, us: work.us })),
};
for (const rows of [verificationRows(result), loopRows(result)]) show(rows);
if (!values["no-write"]) {
  await writeResults("verify", result);
  await writeDocument();
}
const missed = missedVerification(result);
for (const line of missed) console.log(`missed: ${line}`);
process.exitCode = missed.length === 0 ? 0 : 1;

function show(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    console.log(cells.join("  ").trimEnd());
  }
  console.log("");
}
