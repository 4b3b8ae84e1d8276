import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { test } from "node:test";
import { peerBindingBytes, possessionBytes, VoteType } from "@quorate/chain";
import { nativeBackend } from "@quorate/crypto";
import {
  bindPeer,
  createKeyAndState,
  exportState,
  importState,
  initState,
  PrivvalError,
  provePossession,
  readPublicKey,
} from "../src/index.ts";
import { writeKeyFile } from "../src/key-file.ts";
import { decodeSlot, encodeSlot } from "../src/slots.ts";
import { BLANK_STATE, writeFreshState } from "../src/state-file.ts";
import { blockId, CHAIN, NOTHING, open, SlotMemory, vote, withHome } from "./fakes.ts";

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof PrivvalError && error.code === code;
}

test("a key file is CometBFT's, readable by its owner only", async () => {
  await withHome(async (home) => {
    const document: unknown = JSON.parse(await readFile(home.keyFile, "utf8"));
    const seed = Buffer.alloc(32, 9);
    const { publicKey, address } = await readPublicKey(home.keyFile);
    assert.deepEqual(document, {
      address: Buffer.from(address).toString("hex").toUpperCase(),
      pub_key: { type: "tendermint/PubKeyEd25519", value: Buffer.from(publicKey).toString("base64") },
      priv_key: {
        type: "tendermint/PrivKeyEd25519",
        value: Buffer.concat([seed, publicKey]).toString("base64"),
      },
    });
    assert.equal((await stat(home.keyFile)).mode & 0o777, 0o600);
    assert.equal((await stat(home.stateFile)).size, 8192);
  });
});

test("a key file that others can read is refused, naming file and mode", async () => {
  await withHome(async (home) => {
    await chmod(home.keyFile, 0o640);
    await assert.rejects(open(home), (error: unknown) => {
      assert.ok(isCode("KEY_MODE")(error) && error instanceof PrivvalError);
      assert.match(error.message, /0640/);
      assert.ok(error.message.includes(home.keyFile));
      return true;
    });
  });
});

test("a key file that is missing, not JSON, or whose halves do not belong together is refused without showing it", async () => {
  await withHome(async (home) => {
    const good = await readFile(home.keyFile, "utf8");
    const secret = /"value": "([^"]{80,})"/.exec(good)?.[1] as string;
    const broken = [
      "{",
      "null",
      good.replace("PrivKeyEd25519", "PrivKeySecp256k1"),
      good.replace(secret, `AAAA${secret.slice(4)}`),
      good.replace(secret, secret.slice(4)),
      good.replace(secret, `${secret.slice(0, -4)}~~~~`),
      good.replace(/"address": ".{2}/, '"address": "00'),
    ];
    for (const text of broken) {
      await writeFile(home.keyFile, text);
      await assert.rejects(open(home), (error: unknown) => {
        assert.ok(isCode("KEY_INVALID")(error), String(error));
        assert.ok(!String(error).includes(secret.slice(8)));
        return true;
      });
    }
    await rm(home.keyFile);
    await assert.rejects(open(home), isCode("KEY_MISSING"));
  });
});

test("a key file gives its proof of possession for one chain and owner, and its word for one peer, and touches no sign state", async () => {
  await withHome(async (home) => {
    const before = await readFile(home.stateFile);
    const bound = { chainId: CHAIN, elGenesisHash: Buffer.alloc(32, 3), owner: Buffer.alloc(20, 4) };
    const { publicKey, proof } = await provePossession(home.keyFile, bound);
    const { publicKey: same, signature } = await bindPeer(home.keyFile, "peer-1");
    assert.deepEqual([publicKey, same], Array(2).fill((await readPublicKey(home.keyFile)).publicKey));
    const proves = (changes: Partial<typeof bound>): boolean =>
      nativeBackend.verify({
        publicKey,
        message: possessionBytes({ ...bound, ...changes, pubKey: publicKey }),
        signature: proof,
      });
    assert.equal(proves({}), true);
    const others = [
      { chainId: `${CHAIN}2` },
      { elGenesisHash: Buffer.alloc(32, 5) },
      { owner: Buffer.alloc(20, 5) },
    ];
    for (const other of others) assert.equal(proves(other), false, Object.keys(other).join());
    const speaksFor = (peer: string): boolean =>
      nativeBackend.verify({ publicKey, message: peerBindingBytes(peer), signature });
    assert.deepEqual([speaksFor("peer-1"), speaksFor("peer-2")], [true, false]);
    assert.deepEqual(await readFile(home.stateFile), before);
    for (const run of [provePossession(`${home.keyFile}x`, bound), bindPeer(`${home.keyFile}x`, "peer-1")])
      await assert.rejects(run, isCode("KEY_MISSING"));
    await chmod(home.keyFile, 0o644);
    await assert.rejects(provePossession(home.keyFile, bound), isCode("KEY_MODE"));
    await assert.rejects(bindPeer(home.keyFile, "peer-1"), isCode("KEY_MODE"));
  });
});

test("a key without its sign state never signs", async () => {
  await withHome(async (home) => {
    await rm(home.stateFile);
    await assert.rejects(open(home), isCode("SIGN_STATE_MISSING"));
  });
});

test("one damaged slot falls back to the other and is reported, two refuse to sign", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(CHAIN, vote({ height: 1 }), NOTHING);
    await signer.signVote(CHAIN, vote({ height: 2 }), NOTHING);
    const whole = await readFile(home.stateFile);
    const newest = Number(signer.state.generation & 1n) * 4096;
    for (let bit = 0; bit < 4096 * 8; bit += 97) {
      const bytes = Uint8Array.from(whole);
      const at = newest + (bit >> 3);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
      const reopened = await open(home, new SlotMemory(bytes));
      assert.equal(reopened.state.lastSigned?.height, 1);
      assert.equal(reopened.slotLost, true);
      const other = 4096 - newest + (bit >> 3);
      bytes[other] = (bytes[other] ?? 0) ^ 1;
      await assert.rejects(open(home, new SlotMemory(bytes)), isCode("SIGN_STATE_DAMAGED"));
    }
    assert.equal((await open(home)).slotLost, false);
    for (const length of [0, 1, 4095, 4096, 8191]) {
      await assert.rejects(
        open(home, new SlotMemory(whole.subarray(0, length))),
        isCode("SIGN_STATE_DAMAGED"),
        `${length} bytes`,
      );
    }
  });
});

test("the sign state of another key is refused", async () => {
  await withHome(async (home) => {
    await withHome(async (other) => {
      await createKeyAndState(other, new Uint8Array(32).fill(3));
      await assert.rejects(open({ ...home, stateFile: other.stateFile }), isCode("SIGN_STATE_FOREIGN"));
    }, false);
  });
});

test("creating a key never touches an existing key, nor a sign state that has signed", async () => {
  await withHome(async (home) => {
    const key = await readFile(home.keyFile, "utf8");
    await assert.rejects(createKeyAndState(home), isCode("KEY_EXISTS"));
    assert.equal(await readFile(home.keyFile, "utf8"), key);
    const signer = await open(home);
    await signer.signVote(CHAIN, vote(), NOTHING);
    await rm(home.keyFile);
    await assert.rejects(createKeyAndState(home), isCode("SIGN_STATE_EXISTS"));
  });
});

test("a crash between writing the state and the key of a new pair is repaired by trying again", async () => {
  await withHome(async (home) => {
    await rm(home.keyFile);
    const { address } = await createKeyAndState(home, new Uint8Array(32).fill(4));
    assert.deepEqual((await open(home)).address, address);
  });
});

test("an export has CometBFT's fields and the lock, and importing it elsewhere forbids what was signed", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(
      CHAIN,
      vote({ height: 8, round: 1, type: VoteType.precommit, blockId: blockId(5) }),
      {
        sequence: 5n,
        crc: 6,
      },
    );
    const exported = await exportState(home);
    assert.equal(exported.height, "8");
    assert.deepEqual([exported.round, exported.step], [1, 3]);
    assert.equal(exported.lock?.block_id.hash, "05".repeat(32));
    await withHome(async (target) => {
      const result = await importState(target, JSON.stringify(exported));
      assert.equal(result.changed, true);
      const moved = await open(target);
      assert.deepEqual(moved.state.lock, signer.state.lock);
      assert.deepEqual(moved.state.dependency, NOTHING);
      const answer = await moved.signVote(
        CHAIN,
        vote({ height: 8, round: 1, type: VoteType.precommit }),
        NOTHING,
      );
      assert.equal(answer.ok, false);
      assert.ok((await moved.signVote(CHAIN, vote({ height: 8, round: 2 }), NOTHING)).ok);
    });
  });
});

test("an import never lowers, an equal one changes no byte, and CometBFT's own file is understood", async () => {
  await withHome(async (home) => {
    const comet = JSON.stringify({ height: "5", round: 0, step: 2, signature: "AA==", signbytes: "00" });
    assert.equal((await importState(home, comet)).changed, true);
    const bytes = await readFile(home.stateFile);
    assert.equal((await importState(home, comet)).changed, false);
    for (const lower of [
      { height: "0", round: 0, step: 0 },
      { height: "4", round: 7, step: 3 },
      { height: "5", round: 0, step: 1 },
    ]) {
      await assert.rejects(importState(home, JSON.stringify(lower)), isCode("IMPORT_LOWER"));
    }
    assert.deepEqual(await readFile(home.stateFile), bytes);
    assert.deepEqual((await open(home)).state.lastSigned?.step, 1);
  });
});

test("an import writes the other slot, so that being cut off leaves the state before it", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(CHAIN, vote({ height: 2 }), NOTHING);
    const newest = Number(signer.state.generation & 1n) * 4096;
    const before = (await readFile(home.stateFile)).subarray(newest, newest + 4096);
    const lock = {
      height: "7",
      round: 0,
      block_id: { hash: "01".repeat(32), parts: { total: 1, hash: "02".repeat(32) } },
    };
    await importState(home, JSON.stringify({ height: "9", round: 0, step: 3, lock }));
    assert.deepEqual((await readFile(home.stateFile)).subarray(newest, newest + 4096), before);
    assert.equal((await open(home)).state.lastSigned?.height, 9);
  });
});

test("what cannot be imported is refused, naming the field", async () => {
  await withHome(async (home) => {
    for (const [text, field] of [
      ["[", "JSON"],
      ["[]", "object"],
      ['{"height":"1","round":0,"step":4}', "step"],
      ['{"height":"-1","round":0,"step":1}', "height"],
      ['{"height":"1","round":1.5,"step":1}', "round"],
      ['{"height":"1","round":0,"step":1,"lock":{"height":"1","round":0,"block_id":{}}}', "parts"],
    ] as const) {
      await assert.rejects(importState(home, text), (error: unknown) => {
        assert.ok(isCode("IMPORT_INVALID")(error));
        assert.match(String(error), new RegExp(field));
        return true;
      });
    }
    const foreign = JSON.stringify({ height: "1", round: 0, step: 1, address: "00".repeat(20) });
    await assert.rejects(importState(home, foreign), isCode("SIGN_STATE_FOREIGN"));
  });
});

test("a new sign state beside an existing key needs force", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(CHAIN, vote({ height: 9 }), NOTHING);
    await assert.rejects(initState(home, { force: false }), isCode("SIGN_STATE_EXISTS"));
    await rm(home.stateFile);
    await assert.rejects(initState(home, { force: false }), isCode("SIGN_STATE_MISSING"));
    await initState(home, { force: true, watermark: { height: 3, round: 0, step: 2 } });
    const lowered = await open(home);
    assert.ok((await lowered.signVote(CHAIN, vote({ height: 4 }), NOTHING)).ok);
  });
});

test("a closed signer signs nothing", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.close();
    await assert.rejects(signer.signVote(CHAIN, vote(), NOTHING), isCode("CLOSED"));
  });
});

test("regression: a slot whose content leaves no place for its CRC is damage; reading it threw", () => {
  const address = new Uint8Array(20);
  const slotOf = (length: number): Uint8Array => {
    const signed = {
      height: 1,
      round: 0,
      step: 2,
      timestamp: 0n,
      signBytes: new Uint8Array(100).fill(7),
      signature: new Uint8Array(64).fill(8),
    } as const;
    const state = { generation: 1n, lastSigned: signed, lock: null, dependency: { sequence: 0n, crc: 0 } };
    const slot = encodeSlot(state, address);
    // A longer message, up to the slot's end and beyond.
    new DataView(slot.buffer).setUint16(58, length);
    return slot;
  };
  assert.notEqual(decodeSlot(slotOf(100)), null);
  for (let length = 3850; length <= 4096; length++) {
    assert.equal(decodeSlot(slotOf(length)), null);
    // With a signature behind it, all that follows zero: sound but for the CRC, which has no place.
    const damaged = slotOf(length);
    damaged.fill(0, 60);
    damaged[60 + length] = 64;
    assert.equal(decodeSlot(damaged), null);
  }
});

test("sign bytes that fill a slot to its last byte are kept, longer ones refused", () => {
  const address = new Uint8Array(20);
  const withBytes = (length: number): Uint8Array =>
    encodeSlot(
      {
        generation: 1n,
        lastSigned: {
          height: 1,
          round: 0,
          step: 2,
          timestamp: 0n,
          signBytes: new Uint8Array(length).fill(7),
          signature: new Uint8Array(64).fill(8),
        },
        lock: null,
        dependency: { sequence: 0n, crc: 0 },
      },
      address,
    );
  // 60 bytes stand before the sign bytes, 78 and the CRC behind them.
  const longest = 4096 - 60 - 78 - 4;
  assert.equal(decodeSlot(withBytes(longest))?.state.lastSigned?.signBytes.length, longest);
  assert.throws(() => withBytes(longest + 1), { name: "ChainError" });
});

test("regression: a slot is written and synced anew at the start, as the sync of the last process may have failed", async () => {
  await withHome(async (home) => {
    const signer = await open(home);
    await signer.signVote(CHAIN, vote({ height: 7 }), NOTHING);
    const disk = new SlotMemory(await readFile(home.stateFile));
    const reopened = await open(home, disk);
    // A sync alone would not do: the pages of a failed sync are clean.
    assert.deepEqual(disk.log, ["write", "fdatasync"]);
    assert.deepEqual(disk.durable, new Uint8Array(await readFile(home.stateFile)));
    const again = await reopened.signVote(CHAIN, vote({ height: 7 }), NOTHING);
    assert.equal(again.ok && again.reused, true);
  });
});

test("a key file that came while a new one was written stays, and nothing of the new one", async () => {
  await withHome(async (home) => {
    const key = await readFile(home.keyFile, "utf8");
    await assert.rejects(writeKeyFile(home.keyFile, new Uint8Array(32).fill(8)), isCode("KEY_EXISTS"));
    assert.equal(await readFile(home.keyFile, "utf8"), key);
    assert.deepEqual(await readdir(dirname(home.keyFile)), [basename(home.keyFile)]);
    await rm(home.keyFile);
    await mkdir(`${home.keyFile}.${process.pid}.new`);
    await assert.rejects(writeKeyFile(home.keyFile, new Uint8Array(32)), { code: "EEXIST" });
  });
});

test("a disk that cannot read or create the sign state is named with the file", async () => {
  const address = new Uint8Array(20);
  const disk = new (class extends SlotMemory {
    override async read(): Promise<Uint8Array> {
      throw Object.assign(new Error("input/output error"), { code: "EIO" });
    }
    override async create(): Promise<void> {
      throw Object.assign(new Error("read-only file system"), { code: "EROFS" });
    }
  })(new Uint8Array(0));
  await withHome(async (home) => {
    await assert.rejects(open(home, disk), isCode("SIGN_STATE_IO"));
    await assert.rejects(writeFreshState(disk, home.stateFile, address, BLANK_STATE), (error: unknown) => {
      assert.ok(isCode("SIGN_STATE_IO")(error) && error instanceof PrivvalError);
      assert.ok(error.message.includes(home.stateFile));
      return true;
    });
  });
});

test("a lock on a block whose hash has another length has no place in a slot", () => {
  const { hash, parts } = blockId(1);
  const lock = { height: 1, round: 0, blockId: { hash: hash.slice(1), parts } };
  assert.throws(() => encodeSlot({ ...BLANK_STATE, lock }, new Uint8Array(20)), { code: "ENCODE" });
});
