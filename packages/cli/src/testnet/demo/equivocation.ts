/** The scene of a validator whose key signs twice. */
import { CliError, ExitCode } from "../../errors.ts";
import { textAt } from "../../rpc-client.ts";
import type { Member } from "../network.ts";
import type { Cast } from "./cast.ts";
import { evidenceHeight, expectPower } from "./checks.ts";
import { CopiedKey } from "./copied-key.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";

/** Heights at which the copied key tries to contradict its original. */
const MOST_TRIES = 10;

/** `consequence`: checks and tells what else it costs. */
export function isPunished(
  { offender, genesis }: Cast,
  consequence: (stage: Stage, offender: Member) => Promise<string> = () => Promise.resolve(""),
): Scene {
  const { name, address } = offender.entry;
  return {
    name: "punishment",
    title: `${name} equivocates: a copy of its key, without the sign state, signs a second block of a decided height`,
    async play(stage) {
      // Who sees its own key sign elsewhere stops at once (exit 5).
      stage.doomed.set(name, ExitCode.signState);
      const from = stage.watch.height;
      const peers = stage.alive.map((member) => stage.network.info(member).p2p);
      const copy = await CopiedKey.open(offender.child.home, genesis, peers);
      try {
        await stage.until("links of the copied key to all nodes", () =>
          copy.listeners >= stage.alive.length - 1 ? true : null,
        );
        await contradictUntilSeen(stage, copy, offender);
      } finally {
        await copy.close();
      }
      const evidence = await evidenceHeight(stage, address, from);
      stage.say(`      the others have committed the evidence in block ${evidence}`);
      await expectPower(stage, address, { until: evidence + 1, before: null, after: 0 });
      const row = await stage.until(`${name} tombstoned`, async () => {
        const found = await stage.registryRow(address);
        return textAt(found, "status") === "tombstoned" ? found : null;
      });
      const more = await consequence(stage, offender);
      return `${name} has power ${textAt(row, "voting_power")} from height ${evidence + 2} and is ${textAt(row, "status")} for ever${more}. Set: ${await stage.setText(evidence + 2)}`;
    },
  };
}

/** Contradicts one decided height after the other until the offender's own node has seen it and ended. */
async function contradictUntilSeen(stage: Stage, copy: CopiedKey, offender: Member): Promise<void> {
  const { name, address } = offender.entry;
  const ended = (): boolean => offender.child.state === "dead";
  for (let attempt = 0; attempt < MOST_TRIES && !ended(); attempt++) {
    const height = await stage.nextHeight();
    if (ended()) break;
    const place = await stage.signedAt(address, height);
    if (place === null) continue;
    const conflict = await copy.contradict({ height, round: place.round, validatorIndex: place.index });
    if (conflict === null) continue;
    stage.scripted.add(conflict.signBytes);
    stage.say(
      `      height ${height}: the copy signs block ${conflict.block.slice(0, 12)}… too, and tells ${copy.listeners} peers`,
    );
  }
  await stage.until(`${name} sees that its key signs elsewhere and stops`, () => (ended() ? true : null));
  stage.say(`      ${name}: ${offender.child.failure ?? "it said nothing"}`);
  const exitCode = stage.doomed.get(name);
  if (offender.child.lastExit !== exitCode) {
    throw new CliError(
      ExitCode.unmet,
      `${name} ended with exit ${offender.child.lastExit} instead of ${exitCode}`,
      `see ${offender.child.logFile}`,
    );
  }
}
