import { EventStore, type EventStoreOptions } from './event-store';
import { type EventSigner } from './event-store.types';

/** Stores over one database that differ only in the signer. */
export class EventStores {
  constructor(private readonly options: Omit<EventStoreOptions, 'signer'>) {}

  /** The caller closes it. */
  signedBy(signer: EventSigner): EventStore {
    return new EventStore({ ...this.options, signer });
  }
}
