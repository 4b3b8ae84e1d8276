/** Lines that no test of `npm run coverage` reaches, and why. Lines are known by their text: numbers move. */
export interface Unreached {
  readonly file: string;
  /** Each without its indentation. */
  readonly lines: readonly string[];
  readonly why: string;
}

export const UNREACHED: readonly Unreached[] = [];
