/** Writes docs/performance.md and its plots from bench/results: `npm run bench:report`. */
import { writeDocument } from "./write.ts";

await writeDocument();
