/** Where a command of this home sends and looks: RPC of its node, JSON-RPC of its execution client. */

import type { CommandContext } from "../command.ts";
import { environmentValues, readConfigFile, resolveSettings } from "../config/settings.ts";
import type { FlagSpec } from "../flags.ts";

export const NODE_FLAG: FlagSpec = {
  name: "node",
  kind: "string",
  value: "URL",
  help: "RPC of the node (default: rpc.listen of this home)",
};
export const ETH_FLAG: FlagSpec = {
  name: "eth",
  kind: "string",
  value: "URL",
  help: "JSON-RPC of an execution client of the chain (default: that of this home)",
};
export const SENDER_FLAGS: readonly FlagSpec[] = [
  {
    name: "key",
    kind: "string",
    value: "FILE",
    help: "account that signs: key file or keystore (default: config/owner_key.json)",
  },
  { name: "password-file", kind: "string", value: "F", help: "file with the keystore's password" },
  { name: "timeout", kind: "integer", value: "S", min: 1, help: "seconds to wait for the set (default 60)" },
  NODE_FLAG,
  ETH_FLAG,
];

export interface Target {
  readonly node: string;
  readonly eth: string;
}

/** Both named: no home is needed. */
export function targetOf(context: CommandContext): Target {
  const { args } = context;
  const [node, eth] = [args.string("node"), args.string("eth")];
  if (node !== undefined && eth !== undefined) return { node, eth };
  const ofHome = homeTarget(context);
  return { node: node ?? ofHome.node, eth: eth ?? ofHome.eth };
}

/** For a command that asks the node alone. */
export function nodeOf(context: CommandContext): string {
  return context.args.string("node") ?? homeTarget(context).node;
}

function homeTarget({ home, io }: CommandContext): Target {
  const settings = resolveSettings(home, [environmentValues(io.env).values, readConfigFile(home)]);
  const rpc = settings.rpcListen.replace(/^(0\.0\.0\.0|\[::\])/, "127.0.0.1");
  return { node: `http://${rpc}`, eth: settings.execution.ethUrl };
}
