/** A demo from its first scene to its last check. */
import { readFile } from "node:fs/promises";
import { type ChainParams, parseGenesis } from "@quorate/chain";
import { homePaths } from "@quorate/node/home";
import { CliError, ExitCode, type Failure, failureOf } from "../../errors.ts";
import { textAt } from "../../rpc-client.ts";
import { call } from "../load.ts";
import { LightFollower } from "./follower.ts";
import type { DemoName } from "./names.ts";
import { Pace, type PaceSummary } from "./pace.ts";
import type { Scene } from "./scene.ts";
import type { Stage } from "./stage.ts";
import { stakeScenes } from "./stake.ts";
import { validatorScenes } from "./validators.ts";

const SCENES: Readonly<Record<DemoName, (stage: Stage) => Promise<readonly Scene[]>>> = {
  validators: validatorScenes,
  stake: stakeScenes,
};

/** One round may fail at any height: with a proposer that is gone the next one has its turn. */
const MOST_ROUND = 1;

export interface Audience {
  step(name: string, ok: boolean, height: number): void;
}

/** Resolves with `null` when every step held, else with the first failure. Rejects only when it is interrupted. */
export async function play(demo: DemoName, stage: Stage, audience: Audience): Promise<Failure | null> {
  const genesis = parseGenesis(await readFile(homePaths(stage.narrator.child.home).genesis, "utf8"));
  const follower = new LightFollower(genesis);
  const scenes = await SCENES[demo](stage);
  const pace = new Pace();
  stage.pace = pace;
  const checks = [follows(follower), agree(), neverPaused(pace, genesis.params)];
  const all: readonly Scene[] = [...scenes, ...checks];
  stage.say(
    `\n${all.length} steps, each checked; ${await stage.setText(genesis.initialHeight)} to begin with`,
  );
  let failure: Failure | null = null;
  for (const [index, scene] of all.entries()) {
    // What comes after a scene that failed would only fail for its sake; the last checks stand for themselves.
    if (failure !== null && index < scenes.length) continue;
    stage.say(`\n[${index + 1}/${all.length}] ${scene.title}`);
    const failed = await perform(stage, scene, audience);
    failure ??= failed;
    // Throughout: at each step it has verified what there is.
    if (failed === null && index < scenes.length) failure = await verifySoFar(stage, follower);
  }
  stage.say(failure === null ? "\nevery step held\n" : `\nNOT every step held: ${failure.what}\n`);
  return failure;
}

async function perform(stage: Stage, scene: Scene, audience: Audience): Promise<Failure | null> {
  try {
    const seen = await scene.play(stage);
    stage.say(`    ok: ${seen}`);
    audience.step(scene.name, true, stage.watch.height);
    return null;
  } catch (error) {
    stage.throwIfInterrupted();
    const { exitCode, what, do: action } = failureOf(error);
    stage.say(`    FAILED: ${what}`);
    audience.step(scene.name, false, stage.watch.height);
    const unsafe = exitCode === ExitCode.safety;
    return { exitCode: unsafe ? exitCode : ExitCode.unmet, what: `${scene.name}: ${what}`, do: action };
  }
}

async function verifySoFar(stage: Stage, follower: LightFollower): Promise<Failure | null> {
  try {
    await catchUp(stage, follower);
    stage.say(
      `    a light client that trusts genesis alone has verified every height up to ${follower.height}`,
    );
    return null;
  } catch (error) {
    stage.throwIfInterrupted();
    return { ...failureOf(error), exitCode: ExitCode.unmet };
  }
}

/** It goes on where it was when the node is asked again. */
async function catchUp(stage: Stage, follower: LightFollower): Promise<void> {
  const height = stage.watch.heightOf(stage.narrator.entry.name);
  await stage.until(`a light client at height ${height}`, async () => {
    await follower.follow(stage.rpc, height);
    return height;
  });
}

/** The last word of the light client. */
function follows(follower: LightFollower): Scene {
  return {
    name: "light-client",
    title: "a light client follows, height by height, through every change of the set",
    async play(stage) {
      await catchUp(stage, follower);
      return `${follower.height} heights verified from genesis on, signed by ${follower.sets} different sets`;
    },
  };
}

/** Block by block, from the first to the last. */
function agree(): Scene {
  return {
    name: "agreement",
    title: "the execution clients are compared",
    async play(stage) {
      const { alive } = stage;
      const last = Math.min(...alive.map(({ entry }) => stage.watch.heightOf(entry.name))) - 1;
      const urls = alive.map((member) => stage.network.info(member).eth_rpc);
      for (let height = 1; height <= last; height++) {
        const hashes = await Promise.all(
          urls.map((url) => stage.until(`block ${height} of ${url}`, () => hashOf(url, height))),
        );
        if (new Set(hashes).size === 1) continue;
        throw new CliError(ExitCode.safety, `block ${height} differs: ${hashes.join(", ")}`, "report it");
      }
      return `${urls.length} clients have the same block hash at every height from 1 to ${last}`;
    },
  };
}

async function hashOf(url: string, height: number): Promise<string | null> {
  const answer = await call(url, "eth_getBlockByNumber", [`0x${height.toString(16)}`, false]);
  return textAt(answer, "result", "hash") || null;
}

/** At most one round beyond the first at any height; or, on a slow machine, no longer than one round may take. */
export function pausedTooLong(pace: PaceSummary, params: ChainParams): boolean {
  const { blockIntervalMs, timeoutProposeMs, timeoutPrevoteMs, timeoutPrecommitMs } = params;
  const roundMs = timeoutProposeMs + timeoutPrevoteMs + timeoutPrecommitMs;
  return pace.highestRound > MOST_ROUND && pace.longestGapMs > blockIntervalMs + roundMs;
}

function neverPaused(measured: Pace, params: ChainParams): Scene {
  return {
    name: "pace",
    title: "the chain never paused for more than a round",
    play() {
      const pace = measured.summary();
      if (!pausedTooLong(pace, params)) return Promise.resolve(paceText(pace));
      throw new CliError(
        ExitCode.unmet,
        paceText(pace),
        "see node.log of the nodes; is the machine overloaded?",
      );
    },
  };
}

export function paceText({
  heights,
  lateHeights,
  highestRound,
  longestGapMs,
  atHeight,
}: PaceSummary): string {
  const late =
    lateHeights.length === 0
      ? "all in round 0"
      : `${lateHeights.length} of them later than round 0 (heights ${lateHeights.join(", ")}; highest round ${highestRound})`;
  return `${heights} heights, ${late}; the longest time between two blocks was ${longestGapMs} ms, before height ${atHeight}`;
}
