/** Breadth-first search over all that may happen, with states as three numbers in flat arrays. */
import type { step } from "@quorate/consensus";
import { Instance, type InstanceOptions, type Stimulus } from "./instance.ts";
import { type Local, Locals } from "./local.ts";

export interface SearchOptions extends InstanceOptions {
  /** The search ends with so many states in memory, exhausted or not. 1 .. 2^30. */
  readonly states: number;
  /** Without it every state is kept instead of one of each set of states alike up to names. */
  readonly symmetry: boolean;
  /** Steps that nobody else can notice are taken only together with the next one that somebody can (see README.md). */
  readonly lazy: boolean;
  /** The core that is searched; the real one by default. */
  readonly core?: typeof step;
  readonly progress?: (found: number, expanded: number, locals: number) => void;
}

export interface SearchReport {
  /** States kept: of those alike up to names, one. */
  readonly states: number;
  /** States if none were taken as alike: each kept one counts for all its renamings. */
  readonly unreduced: number;
  /** Every state reachable was seen. */
  readonly exhausted: boolean;
  /** Longest distance from the start among the states expanded. */
  readonly depth: number;
  readonly transitions: number;
  /** States of single validators, and inputs given to the core. */
  readonly locals: number;
  readonly steps: number;
  /** Different combinations of what the three have signed. */
  readonly combinations: number;
  /** How many states show a decision at one validator at least. */
  readonly decided: number;
  readonly violations: readonly Violation[];
}

export interface Violation {
  readonly what: string;
  /** Who took what, from the start. */
  readonly path: readonly string[];
}

/** Bits of one validator's state number in a packed state. */
const BITS = 21;
/** More states of single validators than this are not kept (about 5 KB each). */
const MAX_LOCALS = 2 ** 19;
const PROGRESS_MS = 10_000;
const MAX_VIOLATIONS = 5;

interface Judgement {
  readonly breaches: readonly string[];
  readonly decided: boolean;
}

/** More than there are different things that a validator can have signed and decided. */
const FACES = 2 ** 16;

export function search(options: SearchOptions): SearchReport {
  return new Search(options).run();
}

class Search {
  private readonly options: SearchOptions;
  private readonly instance: Instance;
  private readonly locals: Locals;
  /** Packed states in order of discovery: 21 bits a validator. */
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;
  private readonly parents: Int32Array;
  /** Open addressing: index + 1 of a state, 0 free. */
  private readonly table: Int32Array;
  private found = 0;
  private full = false;
  private unreduced = 0;
  private transitions = 0;
  private decided = 0;
  private readonly violations: Violation[] = [];
  /** Per renaming whose state comes to stand at each of the three places. */
  private readonly sources: readonly (readonly number[])[];
  private readonly least: [number, number, number] = [0, 0, 0];
  private orbit = 1;
  /** By what the other two have signed: the number of the list of stimuli that are possible. */
  private readonly possible = new Map<number, number>();
  private readonly possibleLists: (readonly number[])[] = [];
  private readonly listNumbers = new Map<string, number>();
  private readonly successors = new Map<number, Int32Array>();
  /** By what the three have signed and decided. */
  private readonly judged = new Map<number, Judgement>();
  private readonly combinations = new Set<string>();
  private readonly signedNumbers = new Map<number, number>();

  constructor(options: SearchOptions) {
    this.options = options;
    this.instance = new Instance(options);
    this.locals = new Locals(this.instance, options.core);
    const { correct, renamings } = this.instance;
    this.sources = renamings.map(({ validators }) =>
      correct.map((validator) => correct.indexOf(validators.indexOf(validator))),
    );
    this.low = new Uint32Array(options.states);
    this.high = new Uint32Array(options.states);
    this.parents = new Int32Array(options.states);
    let size = 1024;
    while (size < options.states * 1.5) size *= 2;
    this.table = new Int32Array(size);
  }

  run(): SearchReport {
    const { progress } = this.options;
    const [a, b, c] = this.instance.correct.map((validator) => this.locals.initial(validator));
    this.enter(a ?? 0, b ?? 0, c ?? 0, -1);
    let told = performance.now();
    let at = 0;
    let depth = 0;
    let levelEnd = this.found;
    while (at < this.found && !this.full && this.violations.length < MAX_VIOLATIONS) {
      if (at === levelEnd) {
        depth++;
        levelEnd = this.found;
      }
      this.expand(at++);
      if (performance.now() - told > PROGRESS_MS) {
        told = performance.now();
        progress?.(this.found, at, this.locals.states.length);
      }
    }
    for (const what of new Set(this.locals.breaches)) this.violations.push({ what, path: [] });
    return {
      states: this.found,
      unreduced: this.unreduced,
      exhausted: !this.full && at === this.found,
      depth,
      transitions: this.transitions,
      locals: this.locals.states.length,
      steps: this.locals.steps,
      combinations: this.combinations.size,
      decided: this.decided,
      violations: this.violations,
    };
  }

  private expand(index: number): void {
    const [a, b, c] = this.unpack(index);
    const [sa, sb, sc] = [this.signed(a), this.signed(b), this.signed(c)];
    for (const next of this.successorsOf(a, 0, sb, sc)) this.enter(next, b, c, index);
    for (const next of this.successorsOf(b, 1, sa, sc)) this.enter(a, next, c, index);
    for (const next of this.successorsOf(c, 2, sa, sb)) this.enter(a, b, next, index);
  }

  private signed(local: number): number {
    return this.locals.state(local).signed;
  }

  /** The states that one validator may get into, given what the other two have signed. */
  private successorsOf(local: number, place: number, one: number, two: number): Int32Array {
    if (this.locals.state(local).core === null) return NONE;
    const list = this.possibleStimuli(place, one, two);
    const key = local * 2 ** 20 + list;
    const known = this.successors.get(key);
    if (known) return known;
    const stimuli = this.possibleLists[list] ?? [];
    const found = Int32Array.from(
      this.options.lazy ? this.noticeable(local, stimuli) : this.direct(local, stimuli),
    );
    this.successors.set(key, found);
    return found;
  }

  private direct(local: number, stimuli: readonly number[]): readonly number[] {
    const next = new Set<number>();
    for (const stimulus of stimuli) {
      const after = this.locals.next(local, stimulus);
      if (after !== local) next.add(after);
    }
    return [...next];
  }

  /**
   * States after any number of steps that nobody else can notice and one that somebody can. A state that another one of
   * them can still turn into unnoticed is left out: whatever follows it follows the other, too.
   */
  private noticeable(local: number, stimuli: readonly number[]): readonly number[] {
    const ends = new Set<number>();
    this.unnoticed(local, stimuli, new Set(), ends);
    const covered = new Set<number>();
    const kept: number[] = [];
    for (const end of [...ends].sort((a, b) => this.locals.heard(a) - this.locals.heard(b))) {
      if (covered.has(end)) continue;
      kept.push(end);
      if (this.locals.state(end).core !== null) this.unnoticed(end, stimuli, covered, null);
    }
    return kept;
  }

  /** Adds to `seen` all that `local` can get into unnoticed, and to `ends` where the next noticeable step leads. */
  private unnoticed(
    local: number,
    stimuli: readonly number[],
    seen: Set<number>,
    ends: Set<number> | null,
  ): void {
    const open = [local];
    seen.add(local);
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const stimulus of stimuli) {
        const after = this.locals.next(at, stimulus);
        if (after === at || seen.has(after)) continue;
        if (this.isNoticeable(at, after)) {
          ends?.add(after);
          continue;
        }
        seen.add(after);
        open.push(after);
      }
    }
  }

  private isNoticeable(before: number, after: number): boolean {
    const state = this.locals.state(after);
    return state.core === null || state.signed !== this.locals.state(before).signed;
  }

  /** Number of the list of stimuli. Own signatures are never told back here: they are known. */
  private possibleStimuli(place: number, one: number, two: number): number {
    const key = (this.numberOf(one) * 2 ** 16 + this.numberOf(two)) * 4 + place;
    const known = this.possible.get(key);
    if (known !== undefined) return known;
    const others = [0, 1, 2].filter((each) => each !== place);
    const signed = [one, two];
    const list = this.instance.stimuli.flatMap((_, id) => {
      const needs = this.instance.needs[id] ?? [];
      const own = needs[place] ?? 0;
      const met = others.every((other, i) => {
        const need = needs[other] ?? 0;
        return ((signed[i] ?? 0) & need) === need;
      });
      return met && (own === 0 || this.mayComeBack(id)) ? [id] : [];
    });
    const text = list.join(" ");
    const number = this.listNumbers.get(text) ?? this.possibleLists.length;
    if (number === this.possibleLists.length) {
      this.listNumbers.set(text, number);
      this.possibleLists.push(list);
    }
    this.possible.set(key, number);
    return number;
  }

  /** A certificate may carry the own signature; after a restart everything own may come back. */
  private mayComeBack(stimulus: number): boolean {
    return this.options.restarts > 0 || this.instance.stimuli[stimulus]?.kind === "certificate";
  }

  private numberOf(signed: number): number {
    const known = this.signedNumbers.get(signed) ?? this.signedNumbers.size;
    this.signedNumbers.set(signed, known);
    return known;
  }

  private enter(a: number, b: number, c: number, parent: number): void {
    this.transitions++;
    this.canonical(a, b, c);
    const [x, y, z] = this.least;
    if (this.locals.states.length > MAX_LOCALS) {
      this.full = true;
      return;
    }
    // 21 bits each: x and half of y below, the rest of y and z above.
    const low = (x | ((y & 0x7ff) << BITS)) >>> 0;
    const high = ((y >>> 11) | (z << 10)) >>> 0;
    const mask = this.table.length - 1;
    let slot = (Math.imul(low, 0x9e37_79b1) ^ Math.imul(high ^ (low >>> 15), 0x85eb_ca6b)) >>> 0;
    slot = (slot ^ (slot >>> 13)) & mask;
    for (let taken = this.table[slot]; taken; taken = this.table[slot]) {
      if (this.low[taken - 1] === low && this.high[taken - 1] === high) return;
      slot = (slot + 1) & mask;
    }
    if (this.found === this.options.states) {
      this.full = true;
      return;
    }
    const index = this.found++;
    this.table[slot] = index + 1;
    this.low[index] = low;
    this.high[index] = high;
    this.parents[index] = parent;
    this.unreduced += this.orbit;
    this.judge(index, x, y, z);
  }

  /**
   * Finds the least of all states that are this one under other names, and how many different ones they are; the answer
   * stands in `least` and `orbit`, for this is asked for every transition.
   */
  private canonical(a: number, b: number, c: number): void {
    const { least, sources, locals } = this;
    const renamings = this.options.symmetry ? sources.length : 1;
    least[0] = a;
    least[1] = b;
    least[2] = c;
    let fixed = 1;
    // The first renaming changes nothing.
    for (let renaming = 1; renaming < renamings; renaming++) {
      const source = sources[renaming] ?? [0, 1, 2];
      const x = locals.image(source[0] === 0 ? a : source[0] === 1 ? b : c, renaming);
      const y = locals.image(source[1] === 0 ? a : source[1] === 1 ? b : c, renaming);
      const z = locals.image(source[2] === 0 ? a : source[2] === 1 ? b : c, renaming);
      if (x === a && y === b && z === c) fixed++;
      else if (x < least[0] || (x === least[0] && (y < least[1] || (y === least[1] && z < least[2])))) {
        least[0] = x;
        least[1] = y;
        least[2] = z;
      }
    }
    // As many as there are renamings, divided by those that change nothing.
    this.orbit = renamings / fixed;
  }

  private unpack(index: number): [number, number, number] {
    const low = this.low[index] ?? 0;
    const high = this.high[index] ?? 0;
    return [low & (2 ** BITS - 1), (low >>> BITS) | ((high & 0x3ff) << 11), high >>> 10];
  }

  private judge(index: number, a: number, b: number, c: number): void {
    const { locals } = this;
    const key = (locals.faceOf(a) * FACES + locals.faceOf(b)) * FACES + locals.faceOf(c);
    let judgement = this.judged.get(key);
    if (!judgement) {
      judgement = this.judgeFaces([a, b, c].map((id) => locals.state(id)));
      this.judged.set(key, judgement);
    }
    if (judgement.decided) this.decided++;
    for (const what of judgement.breaches) {
      if (this.violations.length < MAX_VIOLATIONS) this.violations.push({ what, path: this.pathTo(index) });
    }
  }

  private judgeFaces(states: readonly Local[]): Judgement {
    const signed = states.map((each) => each.signed);
    this.combinations.add(signed.join(" "));
    const values = new Set(states.flatMap(({ decided }) => (decided === null ? [] : [decided])));
    const forked = values.size > 1 ? [`agreement: ${values.size} blocks are decided`] : [];
    return { breaches: [...this.instance.breaches(signed), ...forked], decided: values.size > 0 };
  }

  /** From the start to this state, each step under the names of the states kept. */
  private pathTo(index: number): readonly string[] {
    const steps: (readonly string[])[] = [];
    for (let at = index; at > 0; at = this.parents[at] ?? -1) {
      steps.push(this.stepTo(this.parents[at] ?? -1, at));
    }
    return steps.toReversed().flat();
  }

  /** What one validator takes on the way from a state to its successor. */
  private stepTo(from: number, to: number): readonly string[] {
    const before = this.unpack(from);
    const target = this.unpack(to);
    const signed = before.map((local) => this.signed(local));
    for (const [place, local] of before.entries()) {
      const [one = 0, two = 0] = signed.toSpliced(place, 1);
      const stimuli = this.possibleLists[this.possibleStimuli(place, one, two)] ?? [];
      const way = this.wayTo(local, stimuli, (end) => {
        const [a, b, c] = before.with(place, end);
        this.canonical(a ?? 0, b ?? 0, c ?? 0);
        return this.least.every((each, i) => each === target[i]);
      });
      if (way) return way.map((each) => `validator ${this.instance.correct[place]}: ${each}`);
    }
    throw new Error("a state that was reached cannot be reached again");
  }

  /** The shortest way of one validator to a state that is meant, unnoticed but for its last step if steps are left out. */
  private wayTo(
    local: number,
    stimuli: readonly number[],
    isMeant: (end: number) => boolean,
  ): readonly string[] | null {
    const origins = new Map<number, { readonly from: number; readonly stimulus: number }>();
    const open = [local];
    for (const at of open) {
      for (const stimulus of stimuli) {
        const after = this.locals.next(at, stimulus);
        if (after === at || after === local || origins.has(after)) continue;
        origins.set(after, { from: at, stimulus });
        if (isMeant(after)) return this.wayBack(after, origins);
        if (this.options.lazy && !this.isNoticeable(at, after)) open.push(after);
      }
    }
    return null;
  }

  private wayBack(
    end: number,
    origins: ReadonlyMap<number, { readonly from: number; readonly stimulus: number }>,
  ): readonly string[] {
    const way: string[] = [];
    for (let origin = origins.get(end); origin; origin = origins.get(origin.from)) {
      const given = this.instance.stimuli[origin.stimulus];
      if (given) way.push(describe(given));
    }
    return way.toReversed();
  }
}

const NONE = new Int32Array(0);

function describe(stimulus: Stimulus): string {
  const value = "value" in stimulus ? (stimulus.value < 0 ? "nil" : `block ${stimulus.value}`) : "";
  switch (stimulus.kind) {
    case "vote": {
      const kind = stimulus.type === 1 ? "prevote" : "precommit";
      return `${kind} of validator ${stimulus.from} in round ${stimulus.round} for ${value}`;
    }
    case "proposal":
      return `proposal of round ${stimulus.round}, POL round ${stimulus.pol}, ${value}`;
    case "certificate": {
      const kind = stimulus.type === 1 ? "prevotes" : "precommits";
      return `certificate of ${kind} in round ${stimulus.round} for ${value} by ${stimulus.signers.join(" ")}`;
    }
    case "timeout":
      return `timeout of ${stimulus.timer} in round ${stimulus.round}`;
    case "restart":
      return "restart with the sign state alone";
  }
}
