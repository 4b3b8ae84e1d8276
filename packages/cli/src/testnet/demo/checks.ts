/** What scenes look at to know that what they tell has happened. */
import { CliError, ExitCode } from "../../errors.ts";
import { at, nodeGet, textAt } from "../../rpc-client.ts";
import type { Member } from "../network.ts";
import type { Stage } from "./stage.ts";

/** That the power is `before` in the set of height `until` (null = not looked at) and `after` in the next one. */
export async function expectPower(
  stage: Stage,
  address: string,
  {
    until,
    before,
    after,
  }: { readonly until: number; readonly before: number | null; readonly after: number },
): Promise<void> {
  const [was, is] = [await stage.powersAt(until), await stage.powersAt(until + 1)].map(
    (powers) => powers.get(address) ?? 0,
  );
  if ((before === null || was === before) && is === after) return;
  throw new CliError(
    ExitCode.unmet,
    `${stage.nameOf(address)} has power ${was} at height ${until} and ${is} at ${until + 1}, not ${before ?? was} and ${after}`,
    "report it",
  );
}

/** First height from `from` on whose commit has the member's signature. */
export async function firstSignature(stage: Stage, { entry }: Member, from: number): Promise<number> {
  let height = from;
  return await stage.until(`a commit signed by ${entry.name}`, async () => {
    for (; height < stage.watch.height; height++) {
      if ((await stage.signedAt(entry.address, height)) !== null) return height;
    }
    return null;
  });
}

/** Height above `from` whose block carries evidence against the validator. */
export async function evidenceHeight(stage: Stage, address: string, from: number): Promise<number> {
  let height = from + 1;
  return await stage.until("a block with the evidence", async () => {
    for (; height <= stage.watch.height; height++) {
      const found = at(await nodeGet(stage.rpc, `block?height=${height}`), "block", "evidence", "evidence");
      const rows: readonly unknown[] = Array.isArray(found) ? found : [];
      if (rows.some((row) => textAt(row, "value", "vote_a", "validator_address") === address)) return height;
    }
    return null;
  });
}

export async function headerTimeMs(stage: Stage, height: number): Promise<number> {
  const header = await stage.until(`the header of height ${height}`, () =>
    nodeGet(stage.rpc, `header?height=${height}`),
  );
  return Date.parse(textAt(header, "header", "time"));
}
