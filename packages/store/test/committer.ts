/** Commits one block after another until it is killed; tells each height that is durable. */
import { openStore } from "../src/index.ts";
import { decide, genesisState, store } from "./fixture.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: committer DIR");
const into = await openStore({ dir, segmentBytes: 64 * 1024, stepBytes: 16 * 1024 });
let state = (await into.state()) ?? genesisState();
let lastCommit = into.height === 0 ? null : await into.commitOf(into.height);
for (;;) {
  const decided = decide(state, lastCommit, { payload: 3000 });
  await store(into, decided);
  state = decided.state;
  lastCommit = decided.seenCommit;
  process.stdout.write(`${into.height}\n`);
}
