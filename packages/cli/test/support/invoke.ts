/** A command of the validator as its user gives it, inside this process. */
import { run } from "../../src/run.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs it without environment and terminal; what it wrote comes back. */
export async function invoke(...words: readonly string[]): Promise<Ended> {
  const said = { out: "", err: "" };
  const code = await run(words, {
    env: {},
    stdoutIsTty: false,
    columns: () => 100,
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
  });
  return { code, ...said };
}
