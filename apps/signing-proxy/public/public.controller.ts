import { type ServerResponse } from 'node:http';
import { Controller, Get, HttpStatus, Res } from '@nestjs/common';
import { PublicRoute } from '#platform/edge';
import { type ProxyHealth } from '#platform/signer';
import { BackendsHealth } from './backends-health';

/** Open to every client with a certificate of the trusted authority: nothing here is secret. */
@Controller('v1')
export class PublicController {
  constructor(private readonly backends: BackendsHealth) {}

  @Get('health')
  @PublicRoute()
  async health(@Res({ passthrough: true }) response: ServerResponse): Promise<ProxyHealth> {
    const health = await this.backends.check();
    response.statusCode = health.ok ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE;
    return health;
  }
}
