/** A bug put into the sources on purpose, and what has to notice it. */
export interface Mutant {
  /** Unique, in kebab case: what is broken. */
  readonly name: string;
  /** Path from the repository's root. */
  readonly file: string;
  /** Text of that file that stands in it exactly once. */
  readonly find: string;
  /** What stands there instead. */
  readonly replace: string;
  /** What goes wrong in a network that runs this. */
  readonly bug: string;
  /** Where the bug comes from: a rule of ours, a line of the paper, or another project's bug. */
  readonly origin: string;
  readonly verdict: Verdict;
}

export type Verdict =
  /** Tests of which one at least has to fail, the most direct first. */
  | { readonly kind: "killed"; readonly by: readonly DirectedTest[] }
  /** No test can tell the two apart: why. */
  | { readonly kind: "equivalent"; readonly because: string };

/** A test by its file and a part of its name. */
export interface DirectedTest {
  readonly file: string;
  /** Text that the test's own name contains. */
  readonly name: string;
}

/** Makes a verdict of one file and parts of test names in it. */
export function killedBy(file: string, ...names: readonly string[]): Verdict {
  return { kind: "killed", by: names.map((name) => ({ file, name })) };
}
