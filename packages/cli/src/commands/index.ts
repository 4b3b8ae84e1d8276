import type { Command } from "../command.ts";
import { configCheck } from "./config-check.ts";
import { evidenceList, evidenceShow, evidenceSubmit } from "./evidence.ts";
import { exit, withdraw } from "./exit.ts";
import { init } from "./init.ts";
import { join } from "./join.ts";
import { keyBindPeer, keyNew, keyShow, keyStateExport, keyStateImport, keyStateInit } from "./key.ts";
import { power } from "./power.ts";
import { reset } from "./reset.ts";
import { param, upgrade } from "./rules.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import {
  testnet,
  testnetAddNode,
  testnetInit,
  testnetKill,
  testnetRestart,
  testnetStatus,
} from "./testnet.ts";
import { validators } from "./validators.ts";
import { version } from "./version.ts";
import { walInspect } from "./wal-inspect.ts";

/** In the order of the overview. A command loads what it needs when it runs: `--help` stays instant. */
export const COMMANDS: readonly Command[] = [
  init,
  start,
  testnet,
  testnetInit,
  testnetStatus,
  testnetKill,
  testnetRestart,
  testnetAddNode,
  status,
  validators,
  join,
  power,
  withdraw,
  exit,
  param,
  upgrade,
  evidenceList,
  evidenceShow,
  evidenceSubmit,
  keyShow,
  keyNew,
  keyBindPeer,
  keyStateExport,
  keyStateImport,
  keyStateInit,
  configCheck,
  walInspect,
  reset,
  version,
];
