import { type ServerResponse } from 'node:http';
import { Controller, Get, Headers, Inject, Param, Res } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { BytesAnswer, Policy, PublicRoute } from '#platform/edge';
import { jwks, sha256Hex, type SignerEntry, signersJson } from '#evidence';
import { KeyRegistryError } from '../domain/key-registry.error';
import { GetSigners, GetTrustRoot } from '../get-signers.handler';

/**
 * A compromised key may stay in a verifier's cache for a minute. An older copy must be asked for again, which costs an
 * answer without a body as long as nothing has changed.
 */
const CACHE_CONTROL = 'public, max-age=60, must-revalidate';

/** The registry requires a role; the public keys in the verifiers' formats require only TLS. */
@Controller('kernel/keys')
export class KeysController {
  constructor(@Inject(QueryBus) private readonly queries: QueryBus) {}

  @Get()
  @Policy('keys.read')
  async list(): Promise<{ signers: SignerEntry[] }> {
    return { signers: await this.signers() };
  }

  @Get('signers.json')
  @PublicRoute()
  async signersFile(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<BytesAnswer> {
    const { origin, signers, ...more } = await this.queries.execute(new GetTrustRoot());
    return cacheable(signersJson(signers, origin, more), known, response);
  }

  @Get('jwks.json')
  @PublicRoute()
  async jwks(
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) response: ServerResponse,
  ): Promise<BytesAnswer> {
    return cacheable(JSON.stringify(jwks(await this.signers())), known, response);
  }

  @Get(':kid')
  @Policy('keys.read')
  async key(@Param('kid') kid: string): Promise<SignerEntry> {
    const signer = (await this.signers()).find(({ signer_kid }) => signer_kid === kid);
    if (!signer) throw new KeyRegistryError('signer_not_found', `There is no signer "${kid}".`);
    return signer;
  }

  private signers(): Promise<SignerEntry[]> {
    return this.queries.execute(new GetSigners());
  }
}

/** Answers 304 when the caller already has these bytes (RFC 9110 section 13.1.2). */
function cacheable(text: string, known: string | undefined, response: ServerResponse): BytesAnswer {
  const tag = `"${sha256Hex(text)}"`;
  response.setHeader('ETag', tag);
  response.setHeader('Cache-Control', CACHE_CONTROL);
  // The comparison is a weak one: a proxy on the way may have compressed what it keeps.
  const tags = known?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? [];
  if (tags.includes(tag) || tags.includes('*')) return new BytesAnswer(304, new Uint8Array());
  return new BytesAnswer(200, Buffer.from(text));
}
