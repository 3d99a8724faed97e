import { type Drill } from '../drill';
import { emergencyKey } from './kms';

/** The audit key may be in someone else's hands. */
export const compromiseDrill: Drill = {
  name: 'compromise',
  summary: 'the audit key may be in someone else’s hands',
  runbook: 'key-compromise',
  practise: emergencyKey,
};
