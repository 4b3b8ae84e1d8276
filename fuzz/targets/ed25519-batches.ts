/** Groups of Ed25519 signatures of every kind, as true batches. */
import { nativeBackend, type SignatureCheck } from "@quorate/crypto";
import { createWasmBackend } from "@quorate/crypto/wasm";
import { littleEndian, toLittleEndian } from "../../conformance/ed25519/zip215.ts";
import type { Random } from "../random.ts";
import { type Target, Violation } from "../target.ts";
import { draw, L, shown } from "./ed25519.ts";
import { lazily, seeded } from "./seeded.ts";

interface Member {
  readonly check: SignatureCheck;
  readonly verdict: boolean;
}

const wasm = lazily(createWasmBackend);

function member(random: Random): Member {
  const { check, verdict } = draw(random);
  return { check, verdict: verdict ?? nativeBackend.verify(check) };
}

/** The same signature with S changed by `difference`, which spoils it: S still counts modulo L. */
function shifted(check: SignatureCheck, difference: bigint): Member {
  const S = (littleEndian(check.signature.slice(32)) + difference) % L;
  const signature = new Uint8Array([...check.signature.slice(0, 32), ...toLittleEndian(S)]);
  return { check: { ...check, signature }, verdict: false };
}

/** Up to 48 signatures; now and then all but a few hold, some come twice, or errors cancel each other in the plain sum. */
function group(random: Random): Member[] {
  const size = 1 + random.below(random.oneIn(3) ? 48 : 8);
  const mostlySound = random.oneIn(2);
  const members = Array.from({ length: size }, () => {
    const drawn = member(random);
    return mostlySound && !drawn.verdict && !random.oneIn(10) ? member(random) : drawn;
  });
  if (random.oneIn(4)) members.push(random.pick(members), random.pick(members));
  if (random.oneIn(3)) {
    const sound = members.filter(({ verdict }) => verdict);
    if (sound.length >= 2) {
      const difference = random.oneIn(2) ? 1n : (littleEndian(random.bytes(32)) % (L - 1n)) + 1n;
      const [first, second] = [random.pick(sound), random.pick(sound)];
      members.splice(random.below(members.length), 0, shifted(first.check, difference));
      members.splice(random.below(members.length), 0, shifted(second.check, L - difference));
    }
  }
  return members;
}

/** R25: a batch holds for exactly those members that hold alone. */
export const ed25519Batches: Target = seeded(
  "ed25519-batches",
  "groups of Ed25519 signatures as true batches",
  (random) => {
    const members = group(random);
    const answers = wasm().verifyBatch(members.map(({ check }) => check));
    for (const [i, { check, verdict }] of members.entries()) {
      if (answers[i] === verdict && wasm().verify(check) === verdict) continue;
      throw new Violation(
        `member ${i} of ${members.length}: batch ${answers[i]}, alone ${wasm().verify(check)}, right ${verdict}: ${shown(check)}`,
      );
    }
    return members.every(({ verdict }) => verdict) ? "accepted" : "refused";
  },
);
