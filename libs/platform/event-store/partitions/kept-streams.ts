import { GOVERNANCE_NOUNS } from '../append/shard-of';

/**
 * Nouns whose streams stay in the event log when a partition is detached: the kernel decides by them, or reads them when it
 * starts, and must not depend on the index for that. There are few of their events.
 */
const KEPT_NOUNS = [...GOVERNANCE_NOUNS, 'legal_hold', 'mode'];

/** Regular expression, for PostgreSQL, of the streams that stay. */
export const KEPT_STREAMS = `^(${KEPT_NOUNS.join('|')})/`;
