import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Command, JSON_FLAG } from "../command.ts";
import { CliError, ExitCode } from "../errors.ts";

export const reset: Command = {
  words: ["reset"],
  summary: "Remove blocks, state, WAL and the embedded EL's data; keys and sign state stay",
  arguments: [],
  flags: [JSON_FLAG],
  details: `For a node that shall sync anew: it starts from genesis and takes the blocks from its peers. The sign state
stays, so the key still cannot sign twice; on a chain whose only validator it is, it will not sign the old heights again
either (make a new home for a new chain). A running node is refused (exit 4).

--json prints {home, removed, kept}.`,
  async run({ args, io, home }) {
    const { homePaths } = await import("@quorate/node");
    const { holdHome } = await import("../home/hold.ts");
    const paths = homePaths(home);
    if (!existsSync(join(home, "config"))) {
      throw new CliError(ExitCode.config, `${home} is no home of a validator`, "name it with --home");
    }
    await (await holdHome(home))();
    const entries = existsSync(paths.data) ? await readdir(paths.data) : [];
    const kept = entries.filter((name) => name === basename(paths.signState));
    const removed = entries.filter((name) => !kept.includes(name)).sort();
    for (const name of removed) await rm(join(paths.data, name), { recursive: true, force: true });
    if (args.boolean("json")) io.out(`${JSON.stringify({ home, removed, kept })}\n`);
    else {
      const what = removed.length === 0 ? "nothing to remove" : `removed ${removed.join(", ")}`;
      io.out(`${what} in ${paths.data}; kept keys and sign state\n`);
    }
    return ExitCode.ok;
  },
};
