import { Injectable } from '@nestjs/common';
import { type EventStore, EventStores } from '#platform/event-store';
import { SigningProxyClient } from '#platform/signer';
import { type BackendKey } from './domain/registration';
import { FixedKeyEventSigner } from './fixed-key.signers';
import { SignatureMetrics } from './key.metrics';

/**
 * Opens a store whose events are signed by a key that the registry does not know yet: for the registration of the first
 * keys, and for the key that replaces a lost one. The ordinary store signs only with registered keys.
 */
@Injectable()
export class RegistrationStores {
  constructor(
    private readonly stores: EventStores,
    private readonly proxy: SigningProxyClient,
    private readonly metrics: SignatureMetrics,
  ) {}

  /** The caller closes it. */
  signedBy(key: BackendKey): EventStore {
    return this.stores.signedBy(new FixedKeyEventSigner(key, this.proxy, this.metrics));
  }
}
