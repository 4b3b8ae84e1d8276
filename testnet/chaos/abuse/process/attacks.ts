/** All attacks by name. */
import type { Field } from "./field.ts";
import * as gossipsub from "./gossipsub.ts";
import { LIES, lying } from "./liars.ts";
import * as tcp from "./tcp.ts";
import * as votes from "./votes.ts";
import * as yamux from "./yamux.ts";

export type Attack = (field: Field) => Promise<void>;

export const ATTACKS: Readonly<Record<string, Attack>> = {
  ...votes.ATTACKS,
  ...gossipsub.ATTACKS,
  ...yamux.ATTACKS,
  ...tcp.ATTACKS,
  ...Object.fromEntries(Object.entries(LIES).map(([name, lie]) => [`liar-${name}`, lying(lie)])),
};
