/**
 * The judge of safety: all votes and proposals that any node of a network sent or received. A validator that ever signed
 * two different messages for one (height, round, type) is found, whoever saw them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface VoteVerdict {
  /** Places (validator/height/round/type) with more than one set of sign bytes. */
  readonly conflicts: readonly string[];
  /** Messages by signer's address. */
  readonly signed: ReadonlyMap<string, number>;
}

export function judgeVotes(homes: readonly string[]): VoteVerdict {
  const places = new Map<string, string>();
  const conflicts = new Set<string>();
  const signed = new Map<string, number>();
  for (const home of homes) {
    const file = join(home, "data", "vote-trace.ndjson");
    if (!existsSync(file)) continue;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const entry = parse(line);
      if (entry === null) continue;
      const { validator, height, round, type, sign_bytes } = entry;
      const place = `${validator}/${height}/${round}/${type}`;
      const known = places.get(place);
      if (known === undefined) {
        places.set(place, sign_bytes);
        signed.set(validator, (signed.get(validator) ?? 0) + 1);
      } else if (known !== sign_bytes) conflicts.add(place);
    }
  }
  return { conflicts: [...conflicts], signed };
}

/** What a node that wrote a trace saw of one validator's votes and proposals. */
export function messagesOf(home: string, address: string): TracedMessage[] {
  const lines = readFileSync(join(home, "data", "vote-trace.ndjson"), "utf8").split("\n");
  return lines.flatMap((line) => {
    const entry = parse(line);
    return entry?.validator === address ? [entry] : [];
  });
}

export interface TracedMessage {
  readonly validator: string;
  readonly height: number;
  readonly round: number;
  readonly type: "proposal" | "prevote" | "precommit";
  /** Hash of the block, `null` for nil. */
  readonly block: string | null;
  readonly sign_bytes: string;
}

/** `null` for an empty line and for the torn last line of a killed node, onto which its next run wrote. */
function parse(line: string): TracedMessage | null {
  try {
    return JSON.parse(line) as TracedMessage;
  } catch {
    return null;
  }
}
