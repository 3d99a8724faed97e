import { Controller, Get, Inject } from '@nestjs/common';
import { QueryBus } from '@nestjs/cqrs';
import type * as contract from '#openapi/kernel';
import { PublicRoute } from '#platform/edge';
import { EventStore, ModeSource } from '#platform/event-store';
import { BackendKeys } from '../backend-keys';
import { KeyRegistryOptions } from '../key-registry.options';
import { GetSigners } from '../get-signers.handler';
import { SigningKeys } from '../signing-keys';

/** How this kernel stands, for whoever is about to trust it. */
@Controller('kernel/security')
export class SecurityStatusController {
  constructor(
    @Inject(QueryBus) private readonly queries: QueryBus,
    private readonly store: EventStore,
    private readonly backend: BackendKeys,
    private readonly keys: SigningKeys,
    private readonly options: KeyRegistryOptions,
    private readonly modes: ModeSource,
  ) {}

  @Get('status')
  @PublicRoute()
  async status(): Promise<contract.SecurityStatus> {
    const [signers, heads, signing] = await Promise.all([
      this.queries.execute(new GetSigners()),
      this.store.heads(),
      this.signing(),
    ]);
    const { mode, since, restoring } = this.modes.current;
    const { origin, adminUiSha256 } = this.options;
    const adminUi = adminUiSha256 === null ? null : { sha256: adminUiSha256 };
    return { origin, mode, modeSince: since, restoring, signers, heads, signing, adminUi };
  }

  /** Faults are reported without addresses or credentials: this route requires no role. */
  private async signing(): Promise<{ ok: boolean; detail: string }> {
    const problem = this.keys.problem();
    if (problem !== null) return { ok: false, detail: 'no registered key can sign' };
    try {
      return await this.backend.health();
    } catch {
      return { ok: false, detail: 'the signing proxy cannot be reached' };
    }
  }
}
