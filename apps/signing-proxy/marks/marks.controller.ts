import { type TLSSocket } from 'node:tls';
import { Body, Controller, Get, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { type Request } from 'express';
import { z } from 'zod';
import { type HighWaterMark, SignerError } from '#platform/signer';
import { clientName } from '../clients/client-name';
import { SigningRefusal } from '../refusal';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';

/** Long enough to start a kernel and have one event signed; who needs more opens another. */
const MAX_WINDOW_S = 3_600;

const WindowRequest = z.strictObject({
  shard: z.int().min(0).max(1_023),
  seq: z.int().min(0),
  seconds: z.int().min(1).max(MAX_WINDOW_S),
  reason: z.string().trim().min(1).max(200),
});

/** What the proxy remembers of the chain, and the one way to make it forget something. */
@Controller('v1')
export class MarksController {
  constructor(@Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions) {}

  /** Open to every client with a certificate of the trusted authority, as the public keys are. */
  @Get('marks')
  async marks(): Promise<{ marks: HighWaterMark[] }> {
    const { marks } = this.options;
    return { marks: marks === undefined ? [] : await kept(() => marks.marks()) };
  }

  /** For operators alone: the kernel cannot open it for itself. */
  @Post('restore-windows')
  @HttpCode(201)
  async open(@Req() request: Request, @Body() body: unknown): Promise<HighWaterMark> {
    const client = clientName(request.socket as TLSSocket);
    const { operators, marks, logger } = this.options;
    if (client === undefined || operators?.includes(client) !== true) {
      throw new SigningRefusal('client_not_permitted', `Client "${client}" may not open a restore window`);
    }
    const parsed = WindowRequest.safeParse(body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new SigningRefusal(
        'malformed_request',
        `The body has to be { shard, seq, seconds, reason }: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      );
    }
    const { seconds, ...window } = parsed.data;
    const until = new Date(Date.now() + seconds * 1_000).toISOString();
    const mark =
      marks === undefined ? null : await kept(() => marks.open({ ...window, until, openedBy: client }));
    if (mark === null) {
      throw new SigningRefusal(
        'nothing_to_open',
        `The mark of shard ${window.shard} is not above ${window.seq}: what comes after it is signed as it is`,
      );
    }
    logger.warn({ client, ...mark }, 'a restore window was opened: one batch may start below the mark');
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
