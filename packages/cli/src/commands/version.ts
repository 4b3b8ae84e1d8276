import { type Command, JSON_FLAG } from "../command.ts";
import { ExitCode } from "../errors.ts";
import { packageVersion } from "../version.ts";

export const version: Command = {
  words: ["version"],
  summary: "Show the versions of program, protocols and runtime",
  arguments: [],
  flags: [JSON_FLAG],
  details: "--json prints {version, block_protocol, app_version, core_version, node, platform}.",
  async run({ args, io }) {
    const { CORE_VERSION } = await import("@quorate/consensus");
    const shown = {
      version: packageVersion(),
      block_protocol: 11,
      app_version: 1,
      core_version: CORE_VERSION,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
    };
    if (args.boolean("json")) io.out(`${JSON.stringify(shown)}\n`);
    else {
      io.out(
        `validator ${shown.version} (block protocol ${shown.block_protocol}, app version ${shown.app_version}, core ${shown.core_version}; Node.js ${shown.node}, ${shown.platform})\n`,
      );
    }
    return ExitCode.ok;
  },
};
