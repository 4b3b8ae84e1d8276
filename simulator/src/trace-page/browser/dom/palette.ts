/** The page's colours as the style sheet gives them for the theme in use, for drawing on a canvas. */
import { MESSAGE_KINDS } from "../message-kinds.ts";

export interface Palette {
  readonly background: string;
  readonly laneLine: string;
  readonly text: string;
  readonly quiet: string;
  readonly grid: string;
  readonly kinds: readonly string[];
  readonly steps: Readonly<Record<string, string>>;
  readonly otherStep: string;
  readonly decided: string;
  readonly lost: string;
  readonly down: string;
  readonly paused: string;
  readonly fault: string;
  readonly violation: string;
  readonly round: string;
  readonly accent: string;
  readonly blocks: readonly string[];
  readonly font: string;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    background: colour("canvas"),
    laneLine: colour("lane"),
    text: colour("text"),
    quiet: colour("quiet"),
    grid: colour("grid"),
    kinds: MESSAGE_KINDS.map(({ id }) => colour(`kind-${id}`)),
    steps: {
      NewHeight: colour("kind-state"),
      Propose: colour("kind-proposal"),
      Prevote: colour("kind-prevote"),
      PrevoteWait: colour("kind-prevote"),
      Precommit: colour("kind-precommit"),
      PrecommitWait: colour("kind-precommit"),
      Commit: colour("decided"),
    },
    otherStep: colour("kind-other"),
    decided: colour("decided"),
    lost: colour("lost"),
    down: colour("down"),
    paused: colour("paused"),
    fault: colour("fault"),
    violation: colour("violation"),
    round: colour("round"),
    accent: colour("accent"),
    blocks: [1, 2, 3, 4, 5, 6].map((n) => colour(`block-${n}`)),
    font: colour("font"),
  };
}

/** The same block has the same colour everywhere; different ones mostly differ, and their digits stand beside. */
export function blockColour(palette: Palette, block: string): string {
  let hash = 0;
  for (let i = 0; i < block.length; i++) hash = (hash * 31 + block.charCodeAt(i)) >>> 0;
  return palette.blocks[hash % palette.blocks.length] ?? palette.text;
}
