import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { at, numberAt, textAt } from "../rpc-client.ts";

/**
 * Pairs of different sign bytes that one validator signed for one (height, round, type), over everything that any node
 * of the network sent or received. Votes carry the signer's clock inside their sign bytes, so two signatures that differ
 * only there count too: privval must never make them. `scripted`: sign bytes (upper-case hex) that a demo had signed on
 * purpose; they are left out.
 */
export async function conflictingSignatures(
  traces: readonly string[],
  scripted: ReadonlySet<string> = new Set(),
): Promise<number> {
  const signed = new Map<string, Set<string>>();
  for (const file of traces) {
    if (!existsSync(file)) continue;
    for await (const line of createInterface({ input: createReadStream(file) })) {
      const entry = parseLine(line);
      if (entry === null || scripted.has(entry.signBytes)) continue;
      const known = signed.get(entry.place);
      if (known === undefined) signed.set(entry.place, new Set([entry.signBytes]));
      else known.add(entry.signBytes);
    }
  }
  let pairs = 0;
  for (const { size } of signed.values()) pairs += (size * (size - 1)) / 2;
  return pairs;
}

/** `null` for the torn last line that a killed node leaves. */
function parseLine(line: string): { place: string; signBytes: string } | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const validator = textAt(value, "validator");
  const signBytes = textAt(value, "sign_bytes");
  if (validator === "" || signBytes === "") return null;
  const place = `${validator}/${numberAt(value, "height")}/${numberAt(value, "round")}/${String(at(value, "type"))}`;
  return { place, signBytes };
}
