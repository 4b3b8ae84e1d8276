/** What the product's own work costs a processor, in virtual ms; signatures are charged where they are made and checked. */
export interface Work {
  /** Of a published message, whatever the number of peers. */
  readonly publishMs: number;
  /** One message of a topic, or one write to a stream, to one peer. */
  send(topic: boolean, bytes: number): number;
  receive(topic: boolean, bytes: number): number;
  /** One input of the core, of a block's body with what it took to know it. */
  input(kind: string): number;
  /** Storing a decided block. */
  readonly commitMs: number;
}

/** As if processors were infinitely fast: time passes on wires, disks and in signatures alone. */
export const FREE: Work = { publishMs: 0, send: () => 0, receive: () => 0, input: () => 0, commitMs: 0 };
