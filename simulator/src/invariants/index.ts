import { agreement } from "./agreement.ts";
import { boundedEvidence } from "./bounded-evidence.ts";
import { cleanExits } from "./clean-exits.ts";
import { convicted } from "./convicted.ts";
import { executedOnce } from "./executed-once.ts";
import type { MakeLaw } from "./law.ts";
import { lockRules } from "./lock-rules.ts";
import { membersAlone } from "./members-alone.ts";
import { neverAccused } from "./never-accused.ts";
import { noDoubleSign } from "./no-double-sign.ts";
import { registryModel } from "./registry-model.ts";
import { setChanges } from "./set-changes.ts";
import { syncBeforeSend } from "./sync-before-send.ts";
import { validity } from "./validity.ts";

/** Every law of a run, by the name that a violation carries. */
export const LAWS: Readonly<Record<string, MakeLaw>> = {
  agreement,
  validity,
  "no-double-sign": noDoubleSign,
  "lock-rules": lockRules,
  "sync-before-send": syncBeforeSend,
  "never-accused": neverAccused,
  convicted,
  "bounded-evidence": boundedEvidence,
  "set-changes": setChanges,
  "registry-model": registryModel,
  "members-alone": membersAlone,
  "executed-once": executedOnce,
  "clean-exits": cleanExits,
};
