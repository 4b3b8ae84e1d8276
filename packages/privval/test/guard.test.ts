import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { proposalSignBytes, VoteType, voteSignBytes } from "@quorate/chain";
import { nobleBackend } from "@quorate/crypto";
import fc from "fast-check";
import { FilePrivVal, PrivvalError } from "../src/index.ts";
import { blockId, CHAIN, type Home, NOTHING, open, proposal, SlotMemory, vote, withHome } from "./fakes.ts";

const { prevote, precommit } = VoteType;

test("a signature verifies over the canonical sign bytes of the message that is returned", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    const answered = await signer.signProposal(CHAIN, proposal(), NOTHING);
    assert.ok(answered.ok && !answered.reused);
    const voted = await signer.signVote(CHAIN, vote(), NOTHING);
    assert.ok(voted.ok);
    const publicKey = signer.pubKey;
    for (const [message, signature] of [
      [proposalSignBytes(CHAIN, answered.message), answered.message.signature],
      [voteSignBytes(CHAIN, voted.message), voted.message.signature],
    ] as const) {
      assert.ok(nobleBackend.verify({ publicKey, message, signature }));
    }
    await signer.close();
  });
});

test("an earlier height, round or step is refused as a regression", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    assert.ok((await signer.signVote(CHAIN, vote({ height: 5, round: 2 }), NOTHING)).ok);
    for (const earlier of [
      signer.signVote(CHAIN, vote({ height: 4, round: 9, type: precommit }), NOTHING),
      signer.signVote(CHAIN, vote({ height: 5, round: 1, type: precommit }), NOTHING),
      signer.signProposal(CHAIN, proposal({ height: 5, round: 2 }), NOTHING),
    ]) {
      const answer = await earlier;
      assert.equal(!answer.ok && answer.code, "REGRESSION");
    }
    assert.ok((await signer.signVote(CHAIN, vote({ height: 5, round: 2, type: precommit }), NOTHING)).ok);
  });
});

test("another block, nil or another chain at the same place is refused as a conflict", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    assert.ok((await signer.signVote(CHAIN, vote(), NOTHING)).ok);
    for (const conflicting of [
      signer.signVote(CHAIN, vote({ blockId: blockId(2) }), NOTHING),
      signer.signVote(CHAIN, vote({ blockId: null }), NOTHING),
      signer.signVote("other-chain", vote(), NOTHING),
    ]) {
      const answer = await conflicting;
      assert.equal(!answer.ok && answer.code, "CONFLICT");
    }
  });
});

test("a message that differs only in time gets the stored signature together with the stored time", async () => {
  await withHome(async (home) => {
    let signer = await open(home);
    const first = await signer.signVote(CHAIN, vote({ timestamp: 1_000_000n }), NOTHING);
    signer = await open(home);
    const second = await signer.signVote(CHAIN, vote({ timestamp: 9_000_000n }), NOTHING);
    assert.ok(first.ok && second.ok);
    assert.equal(second.reused, true);
    assert.deepEqual(second.message, first.message);
    assert.equal(second.message.timestamp, 1_000_000n);
    const own = proposal({ height: 2, timestamp: 5_000_000n });
    const proposed = await signer.signProposal(CHAIN, own, NOTHING);
    const again = await signer.signProposal(CHAIN, { ...own, timestamp: 6_000_000n }, NOTHING);
    assert.ok(proposed.ok && again.ok && again.reused);
    assert.deepEqual(again.message, proposed.message);
  });
});

test("a non-nil precommit becomes the lock, and neither nil nor a prevote replaces it", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(
      CHAIN,
      vote({ height: 3, round: 1, type: precommit, blockId: blockId(7) }),
      NOTHING,
    );
    const lock = { height: 3, round: 1, blockId: blockId(7) };
    assert.deepEqual(signer.state.lock, lock);
    await signer.signVote(CHAIN, vote({ height: 3, round: 2, type: prevote, blockId: blockId(8) }), NOTHING);
    await signer.signVote(CHAIN, vote({ height: 3, round: 2, type: precommit, blockId: null }), NOTHING);
    assert.deepEqual((await open(home)).state.lock, lock);
  });
});

test("the record of the log that a signature depended on is kept with it", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(CHAIN, vote(), { sequence: 77n, crc: 0xdeadbeef });
    assert.deepEqual((await open(home)).state.dependency, { sequence: 77n, crc: 0xdeadbeef });
  });
});

test("a signature is released only after its slot is written and synced, with one sync", async () => {
  await withHome(async (home) => {
    const disk = new SlotMemory(await readFile(home.stateFile));
    const signer = await open(home, disk);
    disk.log.length = 0;
    const answer = await signer.signVote(CHAIN, vote(), NOTHING);
    assert.ok(answer.ok);
    assert.deepEqual(disk.log, ["write", "fdatasync"]);
    disk.visible = disk.durable.slice();
    assert.deepEqual((await open(home, disk)).state.lastSigned?.signature, answer.message.signature);
  });
});

test("a signature does not leave while the sync of its slot is under way", async () => {
  await withHome(async (home) => {
    const disk = new SlotMemory(await readFile(home.stateFile));
    const synced = Promise.withResolvers<void>();
    const signer = await open(home, disk);
    Object.assign(disk, { fdatasync: () => synced.promise });
    let left = false;
    const answer = signer.signVote(CHAIN, vote(), NOTHING).finally(() => {
      left = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(left, false);
    synced.resolve();
    assert.ok((await answer).ok);
  });
});

test("once a slot could not be written nothing is ever signed again", async () => {
  for (const [errno, code] of [
    ["EIO", "SIGN_STATE_IO"],
    ["ENOSPC", "SIGN_STATE_FULL"],
  ] as const) {
    await withHome(async (home) => {
      const disk = new SlotMemory(await readFile(home.stateFile));
      const signer = await open(home, disk);
      disk.failure = Object.assign(new Error(errno), { code: errno });
      const fails = (error: unknown): boolean => error instanceof PrivvalError && error.code === code;
      await assert.rejects(signer.signVote(CHAIN, vote(), NOTHING), fails);
      disk.failure = null;
      await assert.rejects(signer.signVote(CHAIN, vote({ height: 2 }), NOTHING), fails);
      await assert.rejects(signer.raise(9, 0, 0), fails);
      assert.equal(signer.state.lastSigned, null);
    });
  }
});

test("requests made at once are answered in turn, so only one of two conflicting ones is signed", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    const answers = await Promise.all([
      signer.signVote(CHAIN, vote({ blockId: blockId(1) }), NOTHING),
      signer.signVote(CHAIN, vote({ blockId: blockId(2) }), NOTHING),
      signer.signVote(CHAIN, vote({ blockId: blockId(1), timestamp: 5n }), NOTHING),
    ]);
    assert.deepEqual(
      answers.map((answer) => (answer.ok ? `signed ${answer.reused}` : answer.code)),
      ["signed false", "CONFLICT", "signed true"],
    );
  });
});

test("raising the watermark refuses what lies at or below it and never lowers it", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.raise(10, 2, 1, { round: 2, blockId: blockId(4) });
    const { generation } = signer.state;
    await signer.raise(9, 9, 2, { round: 9, blockId: blockId(5) });
    await signer.raise(10, 2, 0);
    await signer.raise(10, 2, 0, { round: 1, blockId: blockId(5) });
    assert.equal(signer.state.generation, generation);
    assert.deepEqual(signer.state.lock, { height: 10, round: 2, blockId: blockId(4) });
    const same = await signer.signVote(CHAIN, vote({ height: 10, round: 2 }), NOTHING);
    assert.equal(!same.ok && same.code, "REGRESSION");
    assert.ok((await signer.signVote(CHAIN, vote({ height: 10, round: 2, type: precommit }), NOTHING)).ok);
  });
});

test("a watermark given at opening is in force before the first request", async () => {
  await withHome(async (home) => {
    const signer = await FilePrivVal.open({ ...home, watermark: { height: 4, round: 0, step: 2 } });
    const answer = await signer.signVote(CHAIN, vote({ height: 4 }), NOTHING);
    assert.equal(!answer.ok && answer.code, "REGRESSION");
  });
});

/** One request of the model: a place, a block and a time, all from small ranges so that they collide. */
const request = fc.record({
  height: fc.integer({ min: 1, max: 4 }),
  round: fc.integer({ min: 0, max: 2 }),
  step: fc.constantFrom(0 as const, 1 as const, 2 as const),
  block: fc.constantFrom(null, 1, 2),
  time: fc.integer({ min: 1, max: 5 }),
});

type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

async function ask(signer: FilePrivVal, wanted: Request) {
  const { height, round, step, block } = wanted;
  const timestamp = BigInt(wanted.time) * 1_000_000n;
  const id = block === null ? null : blockId(block);
  if (step === 0) {
    const content = proposal({ height, round, blockId: id ?? blockId(3), timestamp });
    const answer = await signer.signProposal(CHAIN, content, NOTHING);
    return answer.ok ? { answer, bytes: proposalSignBytes(CHAIN, answer.message) } : { answer, bytes: null };
  }
  const type = step === 1 ? prevote : precommit;
  const answer = await signer.signVote(CHAIN, vote({ height, round, type, blockId: id, timestamp }), NOTHING);
  return answer.ok ? { answer, bytes: voteSignBytes(CHAIN, answer.message) } : { answer, bytes: null };
}

function order(wanted: Request): number {
  return (wanted.height * 10 + wanted.round) * 10 + wanted.step;
}

/** Checks the guard's promise over everything that ever left, across restarts and power losses. */
class Judge {
  readonly #released = new Map<number, string>();
  #highest = 0;

  check(wanted: Request, bytes: Uint8Array | null): void {
    if (bytes === null) return;
    const place = order(wanted);
    const text = Buffer.from(bytes).toString("hex");
    const before = this.#released.get(place);
    assert.ok(before === undefined || before === text, "two different messages for one place");
    assert.ok(place >= this.#highest, "a message for an earlier place");
    this.#highest = place;
    this.#released.set(place, text);
  }
}

async function memoryOf(home: Home): Promise<SlotMemory> {
  return new SlotMemory(await readFile(home.stateFile));
}

test("never two different messages for one place and never back, whatever is asked, restarted or cut off", async () => {
  await withHome(async (home) => {
    const action = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant("sign" as const), request }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant("power loss while signing" as const),
          request,
          sectors: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40, size: "max" }), async (actions) => {
        let disk = await memoryOf(home);
        let signer = await open(home, disk);
        const judge = new Judge();
        for (const step of actions) {
          if (step.do === "sign") {
            const { bytes } = await ask(signer, step.request);
            judge.check(step.request, bytes);
          } else if (step.do === "restart") {
            signer = await open(home, disk);
          } else {
            // The write is under way, its sync never ends: nothing is released.
            const cut = disk;
            cut.fdatasync = () => Promise.reject(new Error("power"));
            await ask(signer, step.request).catch(() => undefined);
            disk = new SlotMemory(cut.afterPowerLoss((sector) => step.sectors[sector] ?? false));
            signer = await open(home, disk);
          }
        }
      }),
      { numRuns: 120 },
    );
  });
});

test("a slot write cut off after any number of bytes leaves the state before or after it, never less", async () => {
  await withHome(async (home) => {
    const disk = await memoryOf(home);
    let signer = await open(home, disk);
    await signer.signVote(CHAIN, vote({ height: 1, type: precommit }), NOTHING);
    const before = disk.durable.slice();
    const first = signer.state;
    signer = await open(home, disk);
    await signer.signVote(CHAIN, vote({ height: 2 }), NOTHING);
    const after = disk.durable.slice();
    const second = signer.state;
    let changed = 0;
    for (let length = 0; length <= after.length; length++) {
      if (length > 0 && before[length - 1] === after[length - 1]) continue;
      const bytes = before.slice();
      bytes.set(after.subarray(0, length));
      const { state } = await open(home, new SlotMemory(bytes));
      assert.ok(state.generation === first.generation || state.generation === second.generation);
      assert.deepEqual(state, state.generation === first.generation ? first : second);
      changed++;
    }
    assert.ok(changed > 50);
  });
});
