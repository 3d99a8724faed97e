import { DATABASE_FAKES } from './database-fakes';
import { EXPORT_FAKES } from './export-fakes';
import { type Fake, type Thief } from './fake';
import { KEY_FAKES } from './key-fakes';
import { LIVE_KEY_FAKES, WITNESS_FAKES } from './live-key-fakes';
import { PEOPLE_FAKES } from './people-fakes';
import { PROXY_FAKES } from './proxy-fakes';
import { RECEIPT_FAKES } from './receipt-fakes';

/** Against those who judge by evidence alone. A table in a fixture of another room comes in here, as in key-fakes.ts. */
export const EVIDENCE_FAKES = [...KEY_FAKES, ...EXPORT_FAKES, ...RECEIPT_FAKES];

/** Against the kernel, its signing proxy and its database, in the order in which they are presented. */
export const LIVE_FAKES = [...LIVE_KEY_FAKES, ...PEOPLE_FAKES, ...PROXY_FAKES, ...DATABASE_FAKES];

/** Every fake of the suite; each is presented in one of the specs beside this file. */
export const ALL_FAKES: readonly Omit<Fake, 'present'>[] = [
  ...EVIDENCE_FAKES,
  ...WITNESS_FAKES,
  ...LIVE_FAKES,
];

export const fakesBy = <T extends { thief: Thief }>(fakes: readonly T[], thief: string): T[] =>
  fakes.filter((fake) => fake.thief === thief);
