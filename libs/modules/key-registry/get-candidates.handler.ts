import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type KeyCandidates } from '#openapi/kernel';
import { type SignerPurpose } from '#evidence';
import { candidates } from './domain/candidates';
import { entryOf } from './domain/registration';
import { BackendKeys } from './backend-keys';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners } from './registered-signers';

/** The keys that could replace those in force. */
export class GetCandidates extends Query<KeyCandidates> {}

const PURPOSES: readonly SignerPurpose[] = ['audit', 'manifest', 'checkpoint'];

@QueryHandler(GetCandidates)
export class GetCandidatesHandler implements IQueryHandler<GetCandidates, KeyCandidates> {
  constructor(
    private readonly backend: BackendKeys,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  async execute(): Promise<KeyCandidates> {
    const [offered, { state }] = await Promise.all([
      this.backend.keys(),
      this.registered.registry({ fresh: true }),
    ]);
    const now = this.options.now().toISOString();
    const active = [...state.keys.values()]
      .map(({ entry }) => entry)
      .filter(({ status }) => status === 'active');
    const inForce: Partial<Record<SignerPurpose, string>> = {};
    for (const purpose of PURPOSES) {
      const kid = active.findLast(({ purposes }) => purposes.includes(purpose))?.signer_kid;
      if (kid !== undefined) inForce[purpose] = kid;
    }
    return {
      candidates: candidates(state, offered).map((key) => entryOf(key, now, 'proposed')),
      inForce,
      directRotation: [...this.options.directRotation],
    };
  }
}
