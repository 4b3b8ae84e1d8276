/** The scene of a validator that leaves by its owner's word. */
import { exit } from "../../commands/exit.ts";
import { numberAt } from "../../rpc-client.ts";
import type { Member } from "../network.ts";
import type { Cast } from "./cast.ts";
import { expectPower } from "./checks.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";

/** `paid`: waits for what the chain owes who left, and tells it. */
export function leaves(
  { leaver }: Cast,
  paid: (stage: Stage, leaver: Member, height: number) => Promise<string> = () => Promise.resolve(""),
): Scene {
  const { name, address } = leaver.entry;
  return {
    name: "exit",
    title: `${name} leaves: its owner sends a withdrawal request (EIP-7002)`,
    async play(stage) {
      const height = numberAt(await stage.command(leaver, exit, []), "height");
      await expectPower(stage, address, { until: height + 1, before: null, after: 0 });
      const follows = Math.max(stage.watch.height, height + 2) + 1;
      await stage.reached(follows);
      const more = await paid(stage, leaver, height);
      return `out of the set from height ${height + 2}; the node follows as a full node (height ${follows})${more}. Set: ${await stage.setText(height + 2)}`;
    },
  };
}
