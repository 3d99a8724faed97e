import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { BytesAnswer, Policy } from '#platform/edge';
import { GetEntryBundle } from '../get-entry-bundle.handler';

type BundlePath = Readonly<Record<'shard' | 'first' | 'second' | 'third' | 'fourth', string | undefined>>;

/** What of the published log is not public: the events. Checkpoints and hash tiles are served by apps/log-publisher. */
@Controller('log/:shard/tile/entries')
export class LogController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  /** The index has a segment for each three of its digits, and a partial bundle one more for its width. */
  @Get([':first', ':first/:second', ':first/:second/:third', ':first/:second/:third/:fourth'])
  @Policy('log.entries')
  @Header('Cache-Control', 'private, max-age=31536000, immutable')
  async bundle(@Param() { shard, first, second, third, fourth }: BundlePath): Promise<BytesAnswer> {
    const path = [first, second, third, fourth].filter((segment) => segment !== undefined).join('/');
    const bytes = await this.queries.execute(new GetEntryBundle(Number(shard), path));
    return new BytesAnswer(200, bytes, 'application/octet-stream');
  }
}
