/** Validator sets of heights, as CometBFT's `/validators` pages them. */
import { at, nodeGet, textAt } from "../rpc-client.ts";

const PER_PAGE = 100;

/** Every page of the set of a height. */
export async function setOf(node: string, height: number): Promise<unknown> {
  const found: unknown[] = [];
  for (let page = 1; ; page++) {
    const answer = await nodeGet(node, `validators?height=${height}&per_page=${PER_PAGE}&page=${page}`);
    const rows = at(answer, "validators");
    if (Array.isArray(rows)) found.push(...rows);
    if (!Array.isArray(rows) || rows.length === 0 || found.length >= Number(textAt(answer, "total"))) {
      return { block_height: String(height), validators: found, total: String(found.length) };
    }
  }
}

/** Power of a key (base64) in the set of a height; 0 = it is not in it. */
export async function powerAt(node: string, height: number, pubKey: string): Promise<bigint> {
  const rows = at(await setOf(node, height), "validators");
  const row = (Array.isArray(rows) ? rows : []).find(
    (candidate) => textAt(candidate, "pub_key", "value") === pubKey,
  );
  return row === undefined ? 0n : BigInt(textAt(row, "voting_power") || "0");
}
