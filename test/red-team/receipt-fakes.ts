import { parseLogPolicy, verifyReceipt, verifyRecordedManifest } from '#evidence';
import { fakesOfManifest, fakesOfReceipt, LoggedKernel } from '#dev/testing';
import { type Fake, wordsOf } from './fake';

const kernel = new LoggedKernel();

const receipts = fakesOfReceipt(kernel).map(({ name, thief, cause, policy, ...given }): Fake => ({
  thief,
  name: `a receipt: ${name}`,
  says: cause,
  present: () => {
    const asked = policy === undefined ? {} : { policy: parseLogPolicy(policy) };
    return wordsOf(...verifyReceipt({ ...given, ...asked }).faults);
  },
}));

const manifests = fakesOfManifest(kernel).map(({ name, thief, cause, ...given }): Fake => ({
  thief,
  name: `a recorded manifest: ${name}`,
  says: cause,
  present: () => wordsOf(...verifyRecordedManifest(given).faults),
}));

/** What is shown to those who check one event or one signature by its receipt. */
export const RECEIPT_FAKES: Fake[] = [...receipts, ...manifests];
