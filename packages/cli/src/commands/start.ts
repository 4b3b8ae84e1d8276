import { type Command, JSON_FLAG } from "../command.ts";
import { optionFlags } from "../config/options.ts";

export const start: Command = {
  words: ["start"],
  summary: "Run the node",
  arguments: [],
  flags: [
    ...optionFlags(),
    { ...JSON_FLAG, help: "print NDJSON events on stdout: started, then commit, phase, el, warning" },
    { name: "exit-with-parent", kind: "boolean", help: "stop when standard input ends (for supervisors)" },
  ],
  details: `Alone after \`validator init\` it makes blocks: one validator with an embedded execution client. A node whose
key is not in the validator set follows as a full node. SIGINT and SIGTERM stop it within 10 s with exit 0; a home that is
in use exits 4. Every option may stand in config.toml, in a VALIDATOR_* variable or here; the flag wins.

  validator start --el http://127.0.0.1:8551 --jwt /etc/geth/jwt.hex        with a Geth that runs already

/health answers 200 while the process is up, /ready when the node takes part or stands at the tip.`,
  async run(context) {
    const { requireHome } = await import("../config/settings.ts");
    const { holdHome } = await import("../home/hold.ts");
    requireHome(context.home);
    // Before the node's many modules are loaded: a held home is refused at once.
    const release = await holdHome(context.home);
    try {
      const { startNode } = await import("../start/start.ts");
      return await startNode(context);
    } finally {
      await release();
    }
  },
};
