import { Inject, Injectable } from '@nestjs/common';
import { type ProxyHealth } from '#platform/signer';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';

/** Each check signs with every key: callers who ask at the same time share one. */
const FRESH_MS = 500;

/** Asks every backend whether it would sign now. */
@Injectable()
export class BackendsHealth {
  private last: { at: number; health: Promise<ProxyHealth> } | null = null;

  constructor(@Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions) {}

  check(): Promise<ProxyHealth> {
    const now = performance.now();
    if (!this.last || now - this.last.at > FRESH_MS) this.last = { at: now, health: this.ask() };
    return this.last.health;
  }

  private async ask(): Promise<ProxyHealth> {
    const backends = await Promise.all(
      this.options.backends.map(async (backend) => ({ name: backend.name, ...(await backend.health()) })),
    );
    return { ok: backends.every(({ ok }) => ok), backends };
  }
}
