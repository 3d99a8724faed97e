import { type TLSSocket } from 'node:tls';
import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import { type Request } from 'express';
import { type ProxySignature } from '#libs/signer';
import { clientName } from '../clients/client-name';
import { BatchSigner } from './batch-signer';

@Controller('v1')
export class SignController {
  constructor(private readonly signer: BatchSigner) {}

  @Post('sign')
  @HttpCode(200)
  async sign(@Req() request: Request): Promise<{ signatures: ProxySignature[] }> {
    return { signatures: await this.signer.sign(clientName(request.socket as TLSSocket), request.body) };
  }
}
