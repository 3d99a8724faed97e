import { type TLSSocket } from 'node:tls';
import { Body, Controller, Get, HttpStatus, Inject, Post, Req, Res } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { z } from 'zod';
import { isKeyName, type KeyInfo, reasonOf } from '#platform/signer';
import { clientName } from '../clients/client-name';
import { SigningRefusal } from '../refusal';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { KeyMaking } from './key-making';

const PURPOSES = ['audit', 'manifest', 'checkpoint'] as const;

const KeyWanted = z.strictObject({
  kid: z.string().refine(isKeyName, '1 to 128 of A-Z a-z 0-9 . _ - are the name of a key'),
  purposes: z
    .array(z.enum(PURPOSES))
    .min(1)
    .max(PURPOSES.length)
    .refine((purposes) => new Set(purposes).size === purposes.length, 'a purpose is listed twice'),
});

/** The keys that are held here, and one way to have more. */
@Controller('v1/keys')
export class KeysController {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly making: KeyMaking,
  ) {}

  /** Open to every client with a certificate of the trusted authority: nothing here is secret. */
  @Get()
  async keys(): Promise<{ origin: string; keys: KeyInfo[] }> {
    try {
      await this.making.look();
    } catch (error) {
      // What is held is true all the same.
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

  /** For those alone who are named (KERNEL_SIGNING_KEY_MAKERS). A key that was made signs nothing until a kernel registers it. */
  @Post()
  async make(
    @Req() request: Request,
    @Body() body: unknown,
    @Res({ passthrough: true }) response: Response,
  ): Promise<KeyInfo> {
    const client = clientName(request.socket as TLSSocket);
    const parsed = KeyWanted.safeParse(body);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new SigningRefusal(
        'malformed_request',
        `The body has to be { kid, purposes }: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
      );
    }
    const { key, isNew } = await this.making.make(client, parsed.data);
    response.status(isNew ? HttpStatus.CREATED : HttpStatus.OK);
    return key;
  }
}
