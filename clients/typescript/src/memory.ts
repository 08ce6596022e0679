/** The last uids that arrived, each with its greatest version. */
export class Memory {
  readonly #versions = new Map<string, bigint>(); // in the order of their last arrival

  constructor(readonly size: number) {}

  /** Reports whether an event is new: its uid is not remembered, or its version is higher. */
  isNew(uid: string, version: bigint): boolean {
    const known = this.#versions.get(uid);
    const newer = known === undefined || version > known;
    this.#versions.delete(uid);
    this.#versions.set(uid, newer ? version : known);
    if (this.#versions.size > this.size) this.#versions.delete(this.#versions.keys().next().value as string);
    return newer;
  }
}
