import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, type Principal, PublicRoute } from '#platform/edge';
import { type LastCheckpoint } from '#platform/signer';
import { Permits } from '../clients/client-access';
import { type CheckpointRequest, CheckpointSigner } from './checkpoint-signer';

/** Checkpoints of the shards' logs (docs/spec/transparency-log.md). */
@Controller('v1/checkpoints')
export class CheckpointsController {
  constructor(private readonly signer: CheckpointSigner) {}

  /** Open to every client with a certificate of the trusted authority: checkpoints are published. */
  @Get()
  @PublicRoute()
  async last(): Promise<{ checkpoints: LastCheckpoint[] }> {
    return { checkpoints: await this.signer.last() };
  }

  @Post()
  @HttpCode(200)
  @Permits('signatures.ask')
  async sign(
    @Caller() { commonName }: Principal,
    @Body() asked: CheckpointRequest,
  ): Promise<{ kid: string; signature: string }> {
    return this.signer.sign(commonName, asked);
  }
}
