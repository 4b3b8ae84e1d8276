/** Commits blocks, in groups of one to four, until it is killed; tells each height that is durable. */
import { openStore } from "../src/index.ts";
import { type Decided, decide, genesisState, storeRun } from "./fixture.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: committer DIR");
const into = await openStore({ dir, segmentBytes: 64 * 1024, stepBytes: 16 * 1024 });
let state = (await into.state()) ?? genesisState();
let lastCommit = into.height === 0 ? null : await into.commitOf(into.height);
for (;;) {
  const run: Decided[] = [];
  for (let left = 1 + (into.height % 4); left > 0; left--) {
    const decided = decide(state, lastCommit, { payload: 3000 });
    run.push(decided);
    state = decided.state;
    lastCommit = decided.seenCommit;
  }
  await storeRun(into, run);
  process.stdout.write(`${into.height}\n`);
}
