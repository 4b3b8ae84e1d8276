/** Holds a home until it is killed. */
import { lockHome } from "../src/index.ts";

const dir = process.argv[2];
if (dir === undefined) throw new Error("usage: holder DIR");
await lockHome(dir);
process.stdout.write("held\n");
process.stdin.resume();
setInterval(() => undefined, 60_000);
