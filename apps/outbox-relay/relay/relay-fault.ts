/**
 * What the store holds contradicts what was published, or itself. Nothing more of the shard is published until a
 * person has looked.
 */
export class RelayFault extends Error {
  override readonly name = 'RelayFault';

  constructor(
    /**
     * `gap`: the next event is missing; `link`: it does not continue the last one; `fork`: the event that was published
     * last is a different one in the store now, or missing; `integrity`: the next row is no event of this kernel.
     */
    readonly kind: 'gap' | 'link' | 'fork' | 'integrity',
    readonly shard: number,
    readonly seq: number,
    message: string,
  ) {
    super(message);
  }
}
