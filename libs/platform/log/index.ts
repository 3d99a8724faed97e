/** The transparency log of each shard (docs/spec/transparency-log.md), and the witnesses that cosign its checkpoints. */
export {
  HttpWitness,
  type HttpWitnessOptions,
  witnessesOf,
  type WitnessRequest,
  type WitnessAnswer,
} from './witness/http-witness';
export { WitnessError, type WitnessErrorCode } from './witness/witness.error';
