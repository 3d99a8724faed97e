import { Inject, Injectable } from '@nestjs/common';
import { type KeyInfo, type SigningBackend } from '#platform/signer';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { KeyMaking } from './key-making';

export interface HeldKey {
  info: KeyInfo;
  backend: SigningBackend;
}

/** The keys that this proxy can sign with, in all backends. */
@Injectable()
export class HeldKeys {
  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly making: KeyMaking,
  ) {}

  all(): HeldKey[] {
    return this.options.backends.flatMap((backend) => backend.keys().map((info) => ({ info, backend })));
  }

  get(kid: string): HeldKey | undefined {
    for (const backend of this.options.backends) {
      const info = backend.keys().find((key) => key.kid === kid);
      if (info) return { info, backend };
    }
    return undefined;
  }

  /** Finds also one that another replica made a moment ago. @throws SignerError `signing_unavailable` */
  async look(kid: string): Promise<HeldKey | undefined> {
    const held = this.get(kid);
    if (held) return held;
    await this.making.look();
    return this.get(kid);
  }
}
