/** Who does a job that must be done once: election by PostgreSQL, with a lease and a fencing epoch (docs/pipeline.md). */
export {
  DEFAULT_LEASE_MS,
  type ElectionObserver,
  type ElectionOptions,
  standForElection,
  type Term,
} from './stand-for-election';
