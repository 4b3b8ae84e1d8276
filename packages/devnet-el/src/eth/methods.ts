import type { Methods } from "../server/jsonrpc.ts";
import { blockMethods } from "./block-methods.ts";
import type { EthContext } from "./context.ts";
import { executionMethods } from "./execute-methods.ts";
import { feeMethods } from "./fee-methods.ts";
import { infoMethods } from "./info-methods.ts";
import { logMethods } from "./log-methods.ts";
import { stateMethods } from "./state-methods.ts";

/** Everything of the public port. */
export function ethMethods(context: EthContext): Methods {
  return {
    ...stateMethods(context),
    ...blockMethods(context),
    ...executionMethods(context),
    ...feeMethods(context),
    ...logMethods(context),
    ...infoMethods(context),
  };
}
