/** Files of secrets and sign states, as an operator may have edited, moved or taken them from another chain's software. */
import { ed25519PublicKey } from "@quorate/crypto";
import { PrivvalError } from "@quorate/privval";
import { parseJwtSecret } from "../../packages/execution/src/engine/jwt.ts";
import { ExecutionError } from "../../packages/execution/src/errors.ts";
import { parseNodeKey } from "../../packages/node/src/home.ts";
import { raisedState } from "../../packages/privval/src/guard.ts";
import { BLANK_STATE } from "../../packages/privval/src/state-file.ts";
import { exportedState, type Imported, parseImport } from "../../packages/privval/src/tools.ts";
import type { SignStep } from "../../packages/privval/src/types.ts";
import { mutateJson, mutateText } from "../mutate.ts";
import type { Random } from "../random.ts";
import { refusable, sameBytes, type Target, Violation } from "../target.ts";
import * as values from "../values.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The sign state that an import into a blank one makes. */
function imported({ place, lock }: Imported): ReturnType<typeof raisedState> {
  const raised = place === null ? BLANK_STATE : raisedState(BLANK_STATE, place);
  if (lock === null) return raised;
  const { height, round, blockId } = lock;
  return raisedState(raised, { height, round, step: 2 }, { round, blockId });
}

function someImport(random: Random): string {
  const blockId = values.blockId(random);
  const upper = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex").toUpperCase();
  return JSON.stringify({
    height: random.oneIn(2) ? String(values.height(random)) : values.height(random),
    round: values.round(random),
    step: random.below(4),
    signature: Buffer.from(random.bytes(64)).toString("base64"),
    signbytes: upper(random.bytes(40)),
    ...(random.oneIn(2) ? { address: upper(random.bytes(20)) } : {}),
    ...(random.oneIn(2)
      ? {}
      : {
          lock: {
            height: String(values.height(random)),
            round: values.round(random),
            block_id: {
              hash: upper(blockId.hash),
              parts: { total: blockId.parts.total, hash: upper(blockId.parts.hash) },
            },
          },
        }),
  });
}

const importFile: Target = {
  name: "sign-import",
  what: "exported sign states, CometBFT's too",
  valid: (random) => utf8.encode(someImport(random)),
  mutate: mutateJson,
  run: (input) =>
    refusable([PrivvalError], () => {
      const read = parseImport(text.decode(input));
      const { place, lock } = read;
      const state = imported(read);
      const last = state.lastSigned;
      const reaches = (point: { height: number; round: number; step: SignStep }): boolean =>
        last !== null &&
        (last.height - point.height || last.round - point.round || last.step - point.step) >= 0;
      if (place !== null && !reaches(place)) throw new Violation("an import does not cover what it names");
      if (lock !== null && !reaches({ height: lock.height, round: lock.round, step: 2 })) {
        throw new Violation("an import does not cover the precommit behind its lock");
      }
      const again = imported(parseImport(JSON.stringify(exportedState(state, new Uint8Array(20)))));
      if (
        JSON.stringify(exportedState(again, new Uint8Array(20))) !==
        JSON.stringify(exportedState(state, new Uint8Array(20)))
      ) {
        throw new Violation("an import that is exported and imported again says something else");
      }
    }),
};

const jwt: Target = {
  name: "jwt-file",
  what: "shared secret of the Engine API",
  valid: (random) => {
    const digits = Buffer.from(random.bytes(32)).toString("hex");
    const prefix = random.pick(["", "0x", " ", "\n"]);
    return utf8.encode(
      `${prefix}${random.oneIn(2) ? digits : digits.toUpperCase()}${random.pick(["", "\n", "\r\n"])}`,
    );
  },
  mutate: mutateText,
  run: (input) => {
    const content = text.decode(input);
    return refusable([ExecutionError], () => {
      try {
        const secret = parseJwtSecret(content, "jwt.hex");
        if (secret.length !== 32) throw new Violation(`a secret of ${secret.length} bytes`);
        if (!content.toLowerCase().includes(Buffer.from(secret).toString("hex"))) {
          throw new Violation("a secret that is not the text's");
        }
      } catch (error) {
        const shown = content.trim();
        if (error instanceof ExecutionError && shown.length > 8 && error.message.includes(shown)) {
          throw new Violation("a refusal shows the secret");
        }
        throw error;
      }
    });
  },
};

const SEEDS = Array.from({ length: 6 }, (_, i) => new Uint8Array(32).fill(i + 1));

const nodeKeyFile: Target = {
  name: "node-key-file",
  what: "node_key.json",
  valid: (random) => {
    const seed = random.pick(SEEDS);
    const value = Buffer.concat([seed, ed25519PublicKey(seed)]).toString("base64");
    return utf8.encode(JSON.stringify({ priv_key: { type: "tendermint/PrivKeyEd25519", value } }));
  },
  mutate: mutateJson,
  run: (input) => {
    const seed = parseNodeKey(text.decode(input));
    if (seed === null) return "refused";
    const { value } = (JSON.parse(text.decode(input)) as { priv_key: { value: string } }).priv_key;
    const whole = Buffer.concat([seed, ed25519PublicKey(seed)]);
    if (!sameBytes(Buffer.from(value, "base64"), whole)) throw new Violation("a seed that is not the file's");
    return "accepted";
  },
};

export const secretTargets: readonly Target[] = [importFile, jwt, nodeKeyFile];
