import { Controller, Header, HttpCode, Post } from '@nestjs/common';
import { Direct, type DirectCall } from '#platform/edge';
import { type ProxySignature } from '#platform/signer';
import { Permits } from '../clients/client-access';
import { SigningRefusal } from '../refusal';
import { BatchSigner } from './batch-signer';

/**
 * Asked thousands of times a second, with small requests whose signatures cost as little as what is around them: the body is
 * read by readSignRequest, which refuses all that the document refuses and has a word for each.
 */
@Controller('v1/sign')
export class SignController {
  constructor(private readonly signer: BatchSigner) {}

  @Post()
  @HttpCode(200)
  @Header('Content-Type', 'application/json; charset=utf-8')
  @Permits('signatures.ask')
  @Direct({ read: parse })
  async sign({ access, body }: DirectCall): Promise<{ signatures: ProxySignature[] }> {
    return { signatures: await this.signer.sign(access?.principal.commonName, body) };
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new SigningRefusal('malformed_request', (cause as Error).message, {}, { cause });
  }
}
