import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import {
  ed25519PublicKey,
  ed25519Sign,
  nativeBackend,
  nobleBackend,
  type SignatureCheck,
  type VerifierBackend,
} from "@quorate/crypto";
import fc from "fast-check";
import { GossipError } from "../src/errors.ts";
import { AuditedBackend, type Disagreement } from "../src/verification/audit.ts";
import { packChecks, unpackChecks } from "../src/verification/packing.ts";
import { createVerifier } from "../src/verification/pool.ts";
import { PriorityQueue } from "../src/verification/queue.ts";
import { seedOf } from "./support.ts";

function check(label: string, good = true): SignatureCheck {
  const seed = seedOf(label);
  const message = seedOf(`message ${label}`);
  const signature = ed25519Sign(seed, message);
  if (!good) signature[3]! ^= 1;
  return { publicKey: ed25519PublicKey(seed), message, signature };
}

describe("a verifier", () => {
  it("with threads gives every check its verdict, in order, whatever the size of the group", async () => {
    const verifier = createVerifier({ workers: 2, coldInline: 0 });
    try {
      for (const size of [1, 7, 8, 65, 200]) {
        const bad = new Set([0, Math.floor(size / 2), size - 1]);
        const checks = Array.from({ length: size }, (_, i) => check(`${size}/${i}`, !bad.has(i)));
        const verdicts = await verifier.verify(checks);
        assert.deepEqual(
          verdicts,
          checks.map((_, i) => !bad.has(i)),
        );
      }
    } finally {
      await verifier.close();
    }
  });

  it("finds a key or signature of another length invalid, in line and in a thread", async () => {
    const verifier = createVerifier({ workers: 1, coldInline: 0 });
    try {
      const good = check("good");
      const short = { ...good, signature: good.signature.subarray(1) };
      const checks = Array.from({ length: 9 }, (_, i) => (i === 4 ? short : good));
      assert.deepEqual(
        await verifier.verify(checks),
        checks.map((_, i) => i !== 4),
      );
      assert.equal(verifier.verifyNow(short), false);
    } finally {
      await verifier.close();
    }
  });

  it("does the first checks in line while its threads load their code, so many and no more", async () => {
    const paths: string[] = [];
    const verifier = createVerifier({
      workers: 1,
      coldInline: 40,
      metrics: {
        verified: (path, count) => paths.push(`${path} ${count}`),
        queue: () => undefined,
        disagreement: () => undefined,
      },
    });
    try {
      const checks = Array.from({ length: 20 }, (_, i) => check(`cold${i}`, i !== 3));
      for (let group = 0; group < 3; group++) {
        assert.deepEqual(
          await verifier.verify(checks),
          checks.map((_, i) => i !== 3),
        );
      }
      assert.deepEqual(paths, ["inline 20", "inline 20", "pool 20"]);
    } finally {
      await verifier.close();
    }
  });

  it("starts no thread for the few groups that a busy machine puts above the budget, and one for many", async () => {
    let now = 0;
    let started = 0;
    const verifier = createVerifier({
      workers: 1,
      backend: nativeBackend,
      spawn: (entry) => {
        started++;
        return new Worker(entry);
      },
      // Each look at the clock finds half a millisecond gone: the budget is soon used up.
      now: () => {
        now += 0.5;
        return now;
      },
    });
    const groups = async (count: number): Promise<void> => {
      for (let group = 0; group < count; group++) {
        assert.deepEqual(await verifier.verify([check(`a${group}`), check(`b${group}`)]), [true, true]);
      }
    };
    try {
      await groups(20);
      assert.equal(started, 0);
      now += 10_000;
      await groups(20);
      assert.equal(started, 0, "what was long ago does not count");
      await groups(80);
      assert.equal(started, 1);
    } finally {
      await verifier.close();
    }
  });

  it("without threads does everything in line", async () => {
    const verifier = createVerifier({ workers: 0 });
    assert.deepEqual(
      await verifier.verify(Array.from({ length: 20 }, () => check("x"))),
      Array(20).fill(true),
    );
    await verifier.close();
  });

  it("refuses what its queue has no room for, and has room again when it is done", async () => {
    const verifier = createVerifier({ workers: 1, coldInline: 0, queueLimit: 30 });
    try {
      const checks = Array.from({ length: 20 }, (_, i) => check(`q${i}`));
      const first = verifier.verify(checks);
      assert.equal(verifier.canAccept(20), false);
      await assert.rejects(verifier.verify(checks), { code: "QUEUE_FULL" });
      await first;
      assert.equal(verifier.canAccept(20), true);
    } finally {
      await verifier.close();
    }
  });

  it("rejects with the reason of an aborted signal and frees its queue at once", async () => {
    const verifier = createVerifier({ workers: 1, coldInline: 0, queueLimit: 1000 });
    try {
      const running = verifier.verify(Array.from({ length: 64 }, (_, i) => check(`r${i}`)));
      const controller = new AbortController();
      const waiting = verifier.verify(
        Array.from({ length: 640 }, () => check("w")),
        { signal: controller.signal },
      );
      assert.equal(verifier.canAccept(400), false);
      controller.abort(new Error("no longer needed"));
      await assert.rejects(waiting, /no longer needed/);
      assert.equal(verifier.canAccept(400), true);
      assert.equal((await running).every(Boolean), true);
    } finally {
      await verifier.close();
    }
  });

  it("does urgent groups before those that wait", async () => {
    const verifier = createVerifier({ workers: 1, coldInline: 0 });
    try {
      const order: string[] = [];
      const checks = (label: string): SignatureCheck[] => Array.from({ length: 16 }, () => check(label));
      await Promise.all([
        verifier.verify(checks("first")).then(() => order.push("first")),
        verifier.verify(checks("late"), { priority: 0 }).then(() => order.push("late")),
        verifier.verify(checks("urgent"), { priority: 10 }).then(() => order.push("urgent")),
      ]);
      assert.deepEqual(order, ["first", "urgent", "late"]);
    } finally {
      await verifier.close();
    }
  });

  it("tries a group again when its thread dies under it, and goes on in line when threads do not stay alive", async () => {
    const threads: Worker[] = [];
    const paths: string[] = [];
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      metrics: {
        verified: (path) => paths.push(path),
        queue: () => undefined,
        disagreement: () => undefined,
      },
      spawn: (entry) => {
        const thread = new Worker(entry);
        threads.push(thread);
        return thread;
      },
    });
    const checks = Array.from({ length: 20 }, (_, i) => check(`d${i}`, i !== 5));
    const expected = checks.map((_, i) => i !== 5);
    const dying = (): Promise<boolean[]> => {
      const verdicts = verifier.verify(checks);
      threads.at(-1)!.terminate();
      return verdicts;
    };
    try {
      assert.deepEqual(await verifier.verify(checks), expected);
      for (let deaths = 0; deaths < 9; deaths++) assert.deepEqual(await dying(), expected);
      assert.equal(threads.length, 9, "the ninth was the last that was tried");
      paths.length = 0;
      assert.deepEqual(await verifier.verify(checks), expected);
      assert.deepEqual(paths, ["inline"]);
    } finally {
      await verifier.close();
    }
  });

  it("gives a group up, with the reason, when a second thread dies under it", async () => {
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      spawn: () => new Worker("process.exit(3)", { eval: true }),
    });
    try {
      const checks = Array.from({ length: 20 }, () => check("x"));
      await assert.rejects(verifier.verify(checks), (error: unknown) => {
        assert.ok(error instanceof GossipError && error.code === "WORKER", String(error));
        assert.match(JSON.stringify(error.facts), /exit code 3/);
        return true;
      });
    } finally {
      await verifier.close();
    }
  });

  it("rejects what is open when it closes, and everything afterwards", async () => {
    const verifier = createVerifier({ workers: 1, coldInline: 0 });
    const open = verifier.verify(Array.from({ length: 100 }, () => check("open")));
    const settled = assert.rejects(open, { code: "CLOSED" });
    await verifier.close();
    await settled;
    await assert.rejects(verifier.verify([check("after")]), { code: "CLOSED" });
    assert.equal(verifier.canAccept(1), false);
  });
});

describe("packed checks", () => {
  it("come out as they went in, ill-formed ones marked", () => {
    const any = fc.record(
      {
        publicKey: fc.uint8Array({ minLength: 31, maxLength: 33 }),
        message: fc.uint8Array({ maxLength: 200 }),
        signature: fc.uint8Array({ minLength: 63, maxLength: 65 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(any), (checks) => {
        const expected = checks.map((found) =>
          found.publicKey.length === 32 && found.signature.length === 64 ? found : null,
        );
        assert.deepEqual(unpackChecks(packChecks(checks)), expected);
      }),
    );
  });
});

describe("a priority queue", () => {
  it("gives higher priorities first and equal ones in order of arrival", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3)), (priorities) => {
        const queue = new PriorityQueue<{ priority: number; order: number }>();
        for (const [order, priority] of priorities.entries()) queue.push({ priority, order });
        const out: { priority: number; order: number }[] = [];
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) out.push(item);
        const expected = priorities
          .map((priority, order) => ({ priority, order }))
          .sort((a, b) => b.priority - a.priority || a.order - b.order);
        assert.deepEqual(out, expected);
      }),
    );
  });
});

describe("an audited backend", () => {
  const liar: VerifierBackend = {
    name: "wasm",
    verify: () => true,
    verifyBatch: (list) => list.map(() => true),
  };
  const denier: VerifierBackend = {
    ...liar,
    verify: () => false,
    verifyBatch: (list) => list.map(() => false),
  };
  /** An audited backend and what it found; `draw` is compared with a share of one half. */
  const audited = (of: VerifierBackend, draw: number): { backend: AuditedBackend; found: Disagreement[] } => {
    const found: Disagreement[] = [];
    const backend = new AuditedBackend(of, {
      share: 0.5,
      random: () => draw,
      oracle: nobleBackend,
      onDisagreement: (each) => found.push(each),
    });
    return { backend, found };
  };

  it("is out of use from the first wrong acceptance that is drawn on, the rest of its batch included", () => {
    const { backend, found } = audited(liar, 0);
    const group = [check("a"), check("b", false), check("c", false)];
    assert.deepEqual(backend.verifyBatch(group), [true, false, false]);
    assert.deepEqual(
      found.map(({ verdict, check: of }) => [verdict, of]),
      [
        [true, group[1]],
        [true, group[2]],
      ],
    );
    assert.equal(backend.quarantined, true);
    assert.equal(backend.verify(check("d", false)), false);
    assert.equal(found.length, 2, "the oracle does everything now");
  });

  it("asks again for every refusal, drawn or not: nobody is penalised for what OpenSSL accepts", () => {
    const { backend, found } = audited(denier, 1);
    assert.deepEqual(backend.verifyBatch([check("a", false), check("b")]), [false, true]);
    assert.equal(found.length, 1);
    assert.equal(backend.quarantined, true);
  });

  it("is trusted with what is not drawn, and as long as others agree", () => {
    const { backend, found } = audited(liar, 0.5);
    assert.deepEqual(backend.verifyBatch([check("a", false)]), [true]);
    const honest = audited(nativeBackend, 0);
    assert.deepEqual(honest.backend.verifyBatch([check("a"), check("b", false)]), [true, false]);
    assert.deepEqual([...found, ...honest.found], []);
    assert.equal(honest.backend.quarantined, false);
  });
});

describe("a wrong batch backend in a thread", () => {
  /** A thread whose batches accept everything; its second answer admits a disagreement. Told of the quarantine it dies. */
  const liar = (): Worker =>
    new Worker(
      `const { parentPort } = require("node:worker_threads");
       const check = { publicKey: new Uint8Array(32), message: new Uint8Array(0), signature: new Uint8Array(64) };
       let answers = 0;
       parentPort.on("message", ({ checks, quarantine }) => {
         if (quarantine) process.exit(0);
         const disagreements = answers++ === 0 ? [] : [{ check, verdict: true }];
         const verdicts = new Uint8Array(16).fill(1);
         parentPort.postMessage({ verdicts, checks, batched: disagreements.length === 0, disagreements }, [checks]);
       });
       parentPort.postMessage(null);`,
      { eval: true },
    );

  it("is put out of use in all threads at once, and what it had accepted is verified again", async () => {
    const events: string[] = [];
    let disagreements = 0;
    const threads: Worker[] = [];
    const bad = check("counted", false);
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      inlineBelow: 1,
      metrics: { verified: () => undefined, queue: () => undefined, disagreement: () => disagreements++ },
      onQuarantine: ({ verdict }) => events.push(`quarantine, said ${verdict}`),
      onFalseAcceptance: (of) =>
        events.push(of.signature.join() === bad.signature.join() ? "false" : "other"),
      spawn: (entry) => {
        const thread = threads.length === 0 ? liar() : new Worker(entry);
        threads.push(thread);
        return thread;
      },
    });
    try {
      const group = Array.from({ length: 16 }, (_, i) => (i === 9 ? bad : check(`g${i}`)));
      assert.deepEqual(await verifier.verify(group), Array(16).fill(true), "the thread lies");
      await verifier.verify(group.filter((each) => each !== bad).concat(check("other")));
      // What was asked again came first, and to an honest thread.
      assert.deepEqual(
        await verifier.verify(group),
        group.map((each) => each !== bad),
      );
      assert.deepEqual(events, ["quarantine, said true", "false"]);
      assert.equal(disagreements, 1);
    } finally {
      await verifier.close();
    }
  });

  it("makes the main thread ask again what it accepted itself, one by one and in small groups", async () => {
    const accepting = {
      name: "wasm",
      verify: () => true,
      verifyBatch: (list) => list.map(() => true),
    } as const satisfies VerifierBackend;
    const never = new AuditedBackend(accepting, { random: () => 1, onDisagreement: () => undefined });
    const [single, grouped] = [check("single", false), check("grouped", false)];
    const told: string[] = [];
    const threads: Worker[] = [];
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      batches: never,
      onFalseAcceptance: ({ signature }) => told.push(signature.join()),
      spawn: (entry) => {
        const thread = threads.length === 0 ? liar() : new Worker(entry);
        threads.push(thread);
        return thread;
      },
    });
    try {
      assert.equal(verifier.verifyNow(single), true, "the backend lies");
      const few = [check("f1"), check("f2"), grouped, check("f3"), check("f4")];
      assert.deepEqual(await verifier.verify(few), Array(5).fill(true), "the backend lies");
      const group = Array.from({ length: 16 }, (_, i) => check(`m${i}`));
      await verifier.verify(group);
      await verifier.verify(group);
      await verifier.verify(group);
      assert.deepEqual(told.sort(), [single, grouped].map(({ signature }) => signature.join()).sort());
      assert.equal(verifier.verifyNow(single), false, "out of use here too");
    } finally {
      await verifier.close();
    }
  });

  it("on this thread is put out of use as well, and the verdict is the oracle's", async () => {
    const found: boolean[] = [];
    const batches = new AuditedBackend(
      { name: "wasm", verify: () => true, verifyBatch: (list) => list.map(() => true) },
      { share: 1, onDisagreement: ({ verdict }) => found.push(verdict) },
    );
    const verifier = createVerifier({ workers: 0, batches });
    const group = Array.from({ length: 5 }, (_, i) => check(`h${i}`, i !== 2));
    assert.deepEqual(
      await verifier.verify(group),
      group.map((_, i) => i !== 2),
    );
    assert.deepEqual(found, [true]);
    await verifier.close();
  });
});

describe("what the main thread verifies itself", () => {
  it("is bounded by the time it takes: above the budget small groups go to the threads, and time gives it back", async () => {
    let now = 0;
    const paths: string[] = [];
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      now: () => now,
      backend: {
        ...nativeBackend,
        verify(each) {
          now += 0.1;
          return nativeBackend.verify(each);
        },
      },
      metrics: {
        verified: (path) => paths.push(path),
        queue: () => undefined,
        disagreement: () => undefined,
      },
    });
    try {
      let singly = 0;
      while (verifier.suitsNow(1)) {
        assert.equal(verifier.verifyNow(check("one")), true);
        singly++;
      }
      // 2 ms at once; a fifth of what passed meanwhile came back.
      assert.equal(singly, 25);
      paths.length = 0;
      assert.deepEqual(await verifier.verify([check("a"), check("b", false)]), [true, false]);
      assert.deepEqual(paths, ["pool"]);
      now += 10;
      assert.equal(verifier.suitsNow(7), true);
      assert.equal(verifier.suitsNow(8), false, "a group");
    } finally {
      await verifier.close();
    }
  });

  it("is not charged for what others held up: one that took far longer than usual is one that did not run", async () => {
    let now = 0;
    let took = 0.1;
    const verifier = createVerifier({
      workers: 1,
      now: () => now,
      backend: {
        ...nativeBackend,
        verify(each) {
          now += took;
          return nativeBackend.verify(each);
        },
      },
    });
    try {
      took = 50;
      verifier.verifyNow(check("preempted"));
      assert.equal(verifier.suitsNow(1), true);
      // What has become usual counts in full: a machine on which each takes so long.
      took = 5;
      let singly = 0;
      while (verifier.suitsNow(1)) {
        verifier.verifyNow(check("slow"));
        singly++;
      }
      assert.ok(singly < 16, String(singly));
    } finally {
      await verifier.close();
    }
  });

  it("together is a true batch from two on, each with its verdict, and counts as in line", async () => {
    const sizes: number[] = [];
    const counted: string[] = [];
    const verifier = createVerifier({
      workers: 1,
      batches: {
        ...nativeBackend,
        verifyBatch(checks) {
          sizes.push(checks.length);
          return nativeBackend.verifyBatch(checks);
        },
      },
      metrics: {
        verified: (path, count) => counted.push(`${path} ${count}`),
        queue: () => undefined,
        disagreement: () => undefined,
      },
    });
    try {
      assert.deepEqual(verifier.verifyTogether?.([check("one")]), [true]);
      assert.deepEqual(verifier.verifyTogether?.([check("two", false), check("three")]), [false, true]);
      assert.deepEqual([sizes, counted], [[2], ["inline 1", "inline 2"]]);
    } finally {
      await verifier.close();
    }
  });

  it("grows into larger batches: what waits for a thread goes together", async () => {
    const sizes: number[] = [];
    const verifier = createVerifier({
      workers: 1,
      coldInline: 0,
      inlineBelow: 1,
      spawn: (entry) => {
        const thread = new Worker(entry);
        const post = thread.postMessage.bind(thread);
        thread.postMessage = (value: { readonly checks: ArrayBuffer }, transfer) => {
          sizes.push(unpackChecks(value.checks).length);
          post(value, transfer as readonly ArrayBuffer[]);
        };
        return thread;
      },
    });
    try {
      const verdicts = await Promise.all(
        Array.from({ length: 100 }, (_, i) => verifier.verify([check(`s${i}`, i % 10 !== 0)])),
      );
      assert.deepEqual(
        verdicts.flat(),
        verdicts.map((_, i) => i % 10 !== 0),
      );
      assert.deepEqual(sizes, [1, 64, 35]);
    } finally {
      await verifier.close();
    }
  });
});
