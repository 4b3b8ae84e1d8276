import type { Stage } from "./stage.ts";

/** One step of a demo: what happens, and that it happened. */
export interface Scene {
  /** `step` of its event. */
  readonly name: string;
  /** What is about to be seen, a sentence for people. */
  readonly title: string;
  /** Plays it and checks what came of it; resolves with what is to be seen. @throws when it did not hold. */
  readonly play: (stage: Stage) => Promise<string>;
}
