import { Controller, Get, Inject, Param } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import { Policy, PublicRoute } from '#libs/access';
import { type SignerEntry, jwks, signersJson } from '#libs/evidence';
import { KeyRegistryError } from '../domain/key-registry.error';
import { KeyRegistryOptions } from '../key-registry.ports';
import { GetSigners } from '../queries/signers/signers.query';

/** The registry is for those with a role; the public keys in the verifiers' formats need TLS alone. */
@Controller('kernel/keys')
export class KeysController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly options: KeyRegistryOptions,
  ) {}

  @Get()
  @Policy('keys.read')
  async list(): Promise<{ signers: SignerEntry[] }> {
    return { signers: await this.signers() };
  }

  @Get('signers.json')
  @PublicRoute()
  async signersFile(): Promise<unknown> {
    return JSON.parse(signersJson(await this.signers(), this.options.origin));
  }

  @Get('jwks.json')
  @PublicRoute()
  async jwks(): Promise<object> {
    return jwks(await this.signers());
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
