/**
 * The transparency log of each shard (docs/spec/transparency-log.md): tiles and checkpoints beside the archive, their
 * publishing, the witnesses that cosign it, and proofs out of it. apps/log-publisher writes it; the kernel reads it for
 * receipts.
 */
export { LogError } from './log.error';
export { LogStorage, servedAs } from './storage/log-storage';
export { entriesOf } from './tree/entry-bundle';
export { parseTilePath, TILE_WIDTH, type TileName, tilePath } from './tree/tile-path';
export { TileCache } from './tree/tile-cache';
export { TiledTree } from './tree/tiled-tree';
export { GrowingLog } from './publishing/growing-log';
export { CheckpointPublisher, type PublisherObserver } from './publishing/checkpoint-publisher';
export {
  type CheckpointRequest,
  type CheckpointSigner,
  type SignedTree,
} from './publishing/checkpoint-signer';
export { NO_WITNESSES, type WitnessClient, type WitnessPolicy, witnessPolicy } from './publishing/witness';
export { DEFAULT_CACHE_BYTES, PublishedLog, type PublishedProofs } from './published-log';
export {
  HttpWitness,
  type HttpWitnessOptions,
  witnessesOf,
  type WitnessRequest,
  type WitnessAnswer,
} from './witness/http-witness';
export { WitnessError, type WitnessErrorCode } from './witness/witness.error';
