import { existsSync } from "node:fs";
import { join } from "node:path";
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

--json prints {home, removed}.`,
  async run({ args, io, home }) {
    const { homePaths } = await import("@quorate/node/home");
    const { resetData } = await import("@quorate/store");
    const { data } = homePaths(home);
    if (!existsSync(join(home, "config"))) {
      throw new CliError(ExitCode.config, `${home} is no home of a validator`, "name it with --home");
    }
    const removed = existsSync(data) ? await resetData(data) : [];
    if (args.boolean("json")) io.out(`${JSON.stringify({ home, removed })}\n`);
    else {
      const what = removed.length === 0 ? "nothing to remove" : `removed ${removed.join(", ")}`;
      io.out(`${what} in ${data}; kept keys and sign state\n`);
    }
    return ExitCode.ok;
  },
};
