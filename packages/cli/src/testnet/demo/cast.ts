import { readFile } from "node:fs/promises";
import { type Genesis, parseGenesis } from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import { CliError, ExitCode } from "../../errors.ts";
import type { Member } from "../network.ts";
import type { Stage } from "./stage.ts";

/** Who plays what. */
export interface Cast {
  readonly genesis: Genesis;
  /** A full node that becomes a validator. */
  readonly joiner: Member;
  /** A validator whose key signs twice. */
  readonly offender: Member;
  /** A validator that leaves. */
  readonly leaver: Member;
}

/** Fewer validators of genesis would be without +2/3 when one of them is gone. */
const LEAST_VALIDATORS = 4;

/** @throws CliError usage when the network has too few nodes. */
export async function castOf(stage: Stage): Promise<Cast> {
  const { members } = stage.network;
  const validators = members.filter(({ entry }) => entry.validator);
  const joiner = members.find(({ entry }) => !entry.validator);
  const [, offender] = validators;
  const leaver = validators.at(-1);
  const enough = validators.length >= LEAST_VALIDATORS;
  if (!enough || joiner === undefined || offender === undefined || leaver === undefined) {
    throw new CliError(
      ExitCode.usage,
      `a demo needs ${LEAST_VALIDATORS} validators and a full node`,
      "leave --validators and --full out",
    );
  }
  const genesis = parseGenesis(await readFile(homePaths(stage.narrator.child.home).genesis, "utf8"));
  return { genesis, joiner, offender, leaver };
}
