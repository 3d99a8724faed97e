import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { type Response } from 'express';
import { type ProxyHealth } from '#platform/signer';
import { BackendsHealth } from './backends-health';

/** Open to every client with a certificate of the trusted authority: nothing here is secret. */
@Controller('v1')
export class PublicController {
  constructor(private readonly backends: BackendsHealth) {}

  @Get('health')
  async health(@Res({ passthrough: true }) response: Response): Promise<ProxyHealth> {
    const health = await this.backends.check();
    response.status(health.ok ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    return health;
  }
}
