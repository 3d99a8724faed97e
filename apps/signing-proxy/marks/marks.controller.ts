import { Body, Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { Caller, type Principal, PublicRoute } from '#platform/edge';
import { type HighWaterMark, SignerError } from '#platform/signer';
import { Permits } from '../clients/client-access';
import { noSuchShard, SigningRefusal } from '../refusal';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';

/** Body of the request, as openapi/signing-proxy.yaml defines it. */
interface WindowRequest {
  shard: number;
  seq: number;
  seconds: number;
  reason: string;
}

/** What the proxy remembers of the chain, and the one way to make it forget something. */
@Controller('v1')
export class MarksController {
  constructor(@Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions) {}

  /** Open to every client with a certificate of the trusted authority, as the public keys are. */
  @Get('marks')
  @PublicRoute()
  async marks(): Promise<{ marks: HighWaterMark[] }> {
    const { marks } = this.options;
    return { marks: marks === undefined ? [] : await kept(() => marks.marks()) };
  }

  /** For operators alone: the kernel cannot open it for itself. */
  @Post('restore-windows')
  @HttpCode(201)
  @Permits('restore-windows.open')
  async open(
    @Caller() { commonName }: Principal,
    @Body() { shard, seq, seconds, reason }: WindowRequest,
  ): Promise<HighWaterMark> {
    const { marks, logger, shards } = this.options;
    if (shard >= shards) throw new SigningRefusal('unknown_shard', noSuchShard(shard, shards));
    const client = String(commonName);
    const until = new Date(Date.now() + seconds * 1_000).toISOString();
    const window = { shard, seq, until, openedBy: client, reason: reason.trim() };
    const mark = marks === undefined ? null : await kept(() => marks.open(window));
    if (mark === null) {
      throw new SigningRefusal(
        'nothing_to_open',
        `Shard ${shard} goes on after ${seq} as it is: the mark is not above it, and what it builds on was signed`,
      );
    }
    logger.warn({ client, ...mark }, 'a restore window was opened: one batch may start after it');
    return mark;
  }
}

async function kept<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SignerError)) throw error;
    throw new SigningRefusal('signing_unavailable', error.message, {}, { cause: error });
  }
}
