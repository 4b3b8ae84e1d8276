/** Every pair of a present and an imported place: an import only raises, and a refusal changes no byte. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesEqual } from "@quorate/crypto";
import {
  comparePlaces,
  createKeyAndState,
  exportState,
  FilePrivVal,
  importState,
  initState,
  type KeyPaths,
  type Place,
  PrivvalError,
} from "@quorate/privval";
import type { Case } from "./campaign.ts";

const SEED: Uint8Array = new Uint8Array(32).fill(7);
const PLACES: readonly Place[] = [1, 2].flatMap((height) =>
  [0, 1].flatMap((round) => ([0, 1, 2] as const).map((step) => ({ height, round, step }))),
);

export async function* importCases(): AsyncGenerator<Case> {
  const dir = await mkdtemp(join(tmpdir(), "quorate-import-"));
  let number = 0;
  try {
    for (const present of PLACES) {
      for (const imported of PLACES) {
        yield {
          class: "import",
          where: `present ${JSON.stringify(present)}, imported ${JSON.stringify(imported)}`,
          check: () => checkImport(join(dir, String(number++)), present, imported),
        };
      }
    }
    yield {
      class: "key without its state",
      where: "the state file is gone",
      check: () => checkMissing(join(dir, "missing")),
    };
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function home(dir: string): Promise<KeyPaths> {
  await mkdir(dir, { recursive: true });
  const paths = { keyFile: join(dir, "key.json"), stateFile: join(dir, "state.bin") };
  await createKeyAndState(paths, SEED);
  return paths;
}

async function checkImport(
  dir: string,
  present: Place,
  imported: Place,
): Promise<{ readonly outcome: string; readonly faults: readonly string[] }> {
  const paths = await home(dir);
  const privval = await FilePrivVal.open(paths);
  await privval.raise(present.height, present.round, present.step);
  await privval.close();
  const before = await readFile(paths.stateFile);
  const text = JSON.stringify({
    height: String(imported.height),
    round: imported.round,
    step: imported.step + 1,
  });
  const order = comparePlaces(imported, present);
  const faults: string[] = [];
  let outcome: string;
  try {
    await importState(paths, text);
    outcome = order === 0 ? "equal" : "raised";
    if (order < 0) faults.push("a lower state was imported");
  } catch (error) {
    if (!(error instanceof PrivvalError) || error.code !== "IMPORT_LOWER") throw error;
    outcome = "refused";
    if (order >= 0) faults.push("a state that is not lower was refused");
  }
  const after = await readFile(paths.stateFile);
  if (order <= 0 && !bytesEqual(before, after)) faults.push("the file changed");
  const now = await exportState(paths);
  const highest = order > 0 ? imported : present;
  const found = { height: Number(now.height), round: now.round, step: (now.step - 1) as Place["step"] };
  if (comparePlaces(found, highest) !== 0) faults.push(`the state is at ${JSON.stringify(found)}`);
  await rm(dir, { recursive: true });
  return { outcome, faults };
}

/** Without its state a key signs nothing, takes no import and gets no new state without force. */
async function checkMissing(
  dir: string,
): Promise<{ readonly outcome: string; readonly faults: readonly string[] }> {
  const paths = await home(dir);
  await rm(paths.stateFile);
  const faults: string[] = [];
  const attempts: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["opening", () => FilePrivVal.open(paths)],
    ["an import", () => importState(paths, JSON.stringify({ height: "9", round: 0, step: 3 }))],
    ["a new state", () => initState(paths, { force: false })],
    ["a new key", () => createKeyAndState(paths)],
  ];
  for (const [name, attempt] of attempts) {
    try {
      await attempt();
      faults.push(`${name} was not refused`);
    } catch (error) {
      if (!(error instanceof PrivvalError)) throw error;
    }
  }
  return { outcome: "refused", faults };
}
