import { Controller, Get, HttpStatus, Inject, Res } from '@nestjs/common';
import { type Response } from 'express';
import { type KeyInfo, type ProxyHealth } from '#libs/signer';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { BackendsHealth } from './backends-health';

/** Open to every client with a certificate of the trusted authority: nothing here is secret. */
@Controller('v1')
export class PublicController {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly backends: BackendsHealth,
  ) {}

  @Get('keys')
  keys(): { origin: string; keys: KeyInfo[] } {
    return {
      origin: this.options.origin,
      keys: this.options.backends.flatMap((backend) => [...backend.keys()]),
    };
  }

  @Get('health')
  async health(@Res({ passthrough: true }) response: Response): Promise<ProxyHealth> {
    const health = await this.backends.check();
    response.status(health.ok ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE);
    return health;
  }
}
