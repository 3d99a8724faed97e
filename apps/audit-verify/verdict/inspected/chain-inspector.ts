import { EventInspector, type Inspection } from '#evidence';
import { type InspectionSetup } from './inspected-events';

/** Checks each event of a chain by itself, with what is known of the chain beforehand. */
export class ChainInspector {
  private readonly inspector: EventInspector;
  /** For events before the first position to check: their hashes are needed, their signatures are not. */
  private readonly reader: EventInspector;

  constructor(private readonly setup: InspectionSetup) {
    const keys = new Map(setup.keys);
    const publicKey = (kid: string): Uint8Array | undefined => keys.get(kid);
    this.inspector = new EventInspector(setup.origin, publicKey, setup.checkSignatures);
    this.reader = new EventInspector(setup.origin, publicKey, false);
  }

  inspect(bytes: Uint8Array | string): Inspection {
    if (this.setup.from === 1) return this.inspector.inspect(bytes);
    const inspection = this.reader.inspect(bytes);
    if (inspection.facts !== null && inspection.facts.seq < this.setup.from) return inspection;
    return this.setup.checkSignatures ? this.inspector.inspect(bytes) : inspection;
  }
}
