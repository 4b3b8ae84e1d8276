import type { Command } from "../command.ts";
import { configCheck } from "./config-check.ts";
import { init } from "./init.ts";
import { keyNew, keyShow, keyStateExport, keyStateImport, keyStateInit } from "./key.ts";
import { reset } from "./reset.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { version } from "./version.ts";
import { walInspect } from "./wal-inspect.ts";

/** In the order of the overview. A command loads what it needs when it runs: `--help` stays instant. */
export const COMMANDS: readonly Command[] = [
  init,
  start,
  status,
  keyShow,
  keyNew,
  keyStateExport,
  keyStateImport,
  keyStateInit,
  configCheck,
  walInspect,
  reset,
  version,
];
