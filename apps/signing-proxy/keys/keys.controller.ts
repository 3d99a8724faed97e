import { type ServerResponse } from 'node:http';
import { Body, Controller, Get, HttpStatus, Inject, Post, Res } from '@nestjs/common';
import { Caller, type Principal, PublicRoute } from '#platform/edge';
import { type KeyInfo, reasonOf } from '#platform/signer';
import { Permits } from '../clients/client-access';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { KeyMaking, type KeyWanted } from './key-making';

/** The keys that are held here, and one way to have more. */
@Controller('v1/keys')
export class KeysController {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly making: KeyMaking,
  ) {}

  /** Open to every client with a certificate of the trusted authority: nothing here is secret. */
  @Get()
  @PublicRoute()
  async keys(): Promise<{ origin: string; keys: KeyInfo[] }> {
    try {
      await this.making.look();
    } catch (error) {
      // The keys that are held are right nevertheless.
      this.options.logger.warn(
        { reason: reasonOf(error) },
        'the keys that were made elsewhere are not known',
      );
    }
    return {
      origin: this.options.origin,
      keys: this.options.backends.flatMap((backend) => [...backend.keys()]),
    };
  }

  /** A key that was made signs nothing until a kernel registers it. */
  @Post()
  @Permits('keys.make')
  async make(
    @Caller() { commonName }: Principal,
    @Body() wanted: KeyWanted,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<KeyInfo> {
    const { key, isNew } = await this.making.make(String(commonName), wanted);
    response.statusCode = isNew ? HttpStatus.CREATED : HttpStatus.OK;
    return key;
  }
}
