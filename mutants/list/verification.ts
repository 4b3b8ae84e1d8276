/** Batches of signatures: what is accepted, who is named, and what happens when the batch backend is wrong. */
import { killedBy, type Mutant } from "../types.ts";

const BACKEND = "packages/crypto/src/wasm/backend.ts";
const KEYS = "packages/crypto/src/wasm/keys.ts";
const AUDIT = "packages/gossip/src/verification/audit.ts";
const POOL = "packages/gossip/src/verification/pool.ts";
const BATCHES = "packages/crypto/test/wasm-backend.test.ts";
const VERIFIED = "packages/gossip/test/verification.test.ts";

export const VERIFICATION: readonly Mutant[] = [
  {
    name: "coefficients-known-beforehand",
    file: BACKEND,
    find: "      randomFillSync(this.#bytes, at, 16 * (to - from));\n",
    replace:
      "      if (at < 0) randomFillSync(this.#bytes, at, 16);\n      this.#bytes.fill(1, at, at + 16 * (to - from));\n",
    bug: "two forged signatures whose errors cancel pass together",
    origin:
      "Bernstein et al., High-speed high-security signatures, section 5: the coefficients must be random",
    verdict: killedBy(BATCHES, "are both named by the backend, in any company"),
  },
  {
    name: "whole-batch-refused",
    file: BACKEND,
    find: "    this.#settle(middle, to, valid);\n",
    replace: "",
    bug: "a forged signature takes honest ones of its batch down with it",
    origin: "DESIGN §6: a failing batch is split to find the bad ones",
    verdict: killedBy(BATCHES, "names every culprit of a batch and nobody else"),
  },
  {
    name: "tables-of-another-key",
    file: KEYS,
    find: "      this.#spare = number;\n",
    replace: "",
    bug: "after bytes that are no key, two keys share the tables of one",
    origin: "caches of prepared keys: the entry must be its key's",
    verdict: killedBy(BATCHES, "stay the same for the last keys asked for"),
  },
  {
    name: "refusals-are-not-asked-again",
    file: AUDIT,
    find: "const proven = !verdict && this.#proves(check);",
    replace: "const proven = verdict && this.#share > 1;",
    bug: "a wrong refusal of the batch backend costs honest peers their standing",
    origin: "DESIGN §6: senders are never penalised before a re-check",
    verdict: killedBy(VERIFIED, "asks again for every refusal"),
  },
  {
    name: "quarantine-looks-only-ahead",
    file: POOL,
    find: "    this.#options.onQuarantine?.(found[0]!);\n    this.#askAgain();\n",
    replace: "    this.#options.onQuarantine?.(found[0]!);\n",
    bug: "a bad signature that was counted before the fault was seen stays counted",
    origin: "DESIGN §6: a difference re-verifies what was counted",
    verdict: killedBy(VERIFIED, "what it had accepted is verified again"),
  },
];
