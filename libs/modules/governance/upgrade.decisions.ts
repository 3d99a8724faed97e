import { Injectable } from '@nestjs/common';
import { type ApproverKey, EvidenceError, type JsonObject, keyMaterial, readApproverPool } from '#evidence';
import { ManifestSigner } from '#platform/signer';
import {
  type AnswerBytes,
  answerOnce,
  ContendedDecisions,
  type Asking,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
  mapFew,
  newEventId,
  type StoredEvent,
  type StreamVersion,
  type StreamWrite,
} from '#platform/event-store';
import { authorizeDeployment } from './deployment-authorization';
import { GovernanceError } from './domain/governance.error';
import { type Governance } from './domain/plan-effect';
import { type KnownPasskeys } from './domain/synced-passkeys';
import { decideUpgrade, type Decision, type UpgradeCommand } from './domain/upgrade.decider';
import { evolveUpgrade, REFUSED_TYPE, type UpgradeEvent, type UpgradeState } from './domain/upgrade.state';
import { GovernanceOptions, KeyPossession } from './governance.ports';
import { GovernanceReader, upgradeStream } from './governance.reader';

/** Basis of an answer. */
export interface Decided {
  state: UpgradeState;
  governance: Governance;
  now: number;
  /** Null when everything was already done. */
  position: string | null;
}

/** Refused signatures recorded per upgrade; later ones are also refused, but do not fill the chain. */
const MAX_RECORDED_REFUSALS = 100;

const RECORDED_REFUSALS: ReadonlySet<GovernanceError['code']> = new Set([
  'invalid_signature',
  'key_not_valid',
  'invalid_approved_at',
  'synced_passkey',
]);

/** Makes decisions about upgrades: loads, decides, and commits all consequences together or nothing. */
@Injectable()
export class UpgradeDecisions {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
    private readonly signer: ManifestSigner,
    private readonly options: GovernanceOptions,
    private readonly possession: KeyPossession,
  ) {
    this.contended = new ContendedDecisions(store, GovernanceError);
  }

  /** @throws GovernanceError, EventStoreError, SignerError */
  async decide(
    upgradeId: string,
    command: UpgradeCommand,
    asking: Asking,
    answer: (decided: Decided) => AnswerBytes,
  ): Promise<CommandAnswer> {
    return this.contended.decide(upgradeId, asking.idempotency, () =>
      this.attempt(upgradeId, command, asking, answer),
    );
  }

  private async attempt(
    upgradeId: string,
    command: UpgradeCommand,
    asking: Asking,
    answer: (decided: Decided) => AnswerBytes,
  ): Promise<CommandAnswer> {
    const [loaded, { governance, versions, keysAsOf }] = await Promise.all([
      this.reader.upgrade(upgradeId),
      this.reader.governance(),
    ]);
    const state = loaded?.state ?? null;
    const undone = await this.undone(state, command);
    const passkeys = await this.passkeys(command);
    const now = await this.reader.now(loaded?.events);
    const { origin, ownTypes } = this.options;
    let decision: Decision;
    try {
      decision = decideUpgrade(state, command, { now, origin, ownTypes, passkeys, governance, undone });
    } catch (error) {
      if (error instanceof GovernanceError && state !== null)
        await this.recordRefusal(state, command, error, asking);
      throw error;
    }
    if (decision.events.length === 0 && state !== null) {
      const done = await answerOnce(this.store, asking.idempotency, async () =>
        answer({ state, governance, now, position: null }),
      );
      return { ...done, replayed: false, eventIds: [] };
    }
    const events = await this.authorized(state, decision, asking, now);
    const effect = await this.counterSigned(state, decision.effect);
    const writes = writesOf(upgradeId, state, { ...decision, events, effect }, undone, versions);
    // Whether a key may come or end depends on all others, and what an event says of the registry must hold where it stands.
    const onKeys = changesKeys(effect) || events.some(({ payload }) => 'signerEvents' in payload);
    return appendAndAnswer(
      this.store,
      {
        actor: asking.actor,
        correlationId: asking.correlationId,
        writes,
        requires: versions.filter(({ stream }) => !writes.some((write) => write.stream === stream)),
        ...(onKeys ? { keysAsOf } : {}),
      },
      asking.idempotency,
      (committed, position) => {
        const after = fold(state, upgradeId, committed);
        return answer({ state: after, governance, now, position });
      },
    );
  }

  /** The upgrade that a rollback undoes. */
  private async undone(state: UpgradeState | null, command: UpgradeCommand): Promise<UpgradeState | null> {
    const named = command.kind === 'propose' ? command.manifest['undoes'] : null;
    const change = state?.manifest.change;
    const undoes = change?.kind === 'rollback' ? change.undoes : named;
    if (typeof undoes !== 'string' || undoes === '') return null;
    return (await this.reader.upgrade(undoes))?.state ?? null;
  }

  /** What the chain has of the passkeys that a command is about; null where those that may be copied are allowed. */
  private async passkeys(command: UpgradeCommand): Promise<KnownPasskeys | null> {
    if (this.options.syncedPasskeys === 'allow') return null;
    const [bound, synced] = [new Set<string>(), new Set<string>()];
    const registrations = await mapFew(approversWithPasskeys(command), (id) =>
      this.store.loadStream(`approver/${id}`),
    );
    for (const { event } of registrations.flat()) {
      if (event.type !== 'approver.credential_registered') continue;
      const { key, multiDevice, backedUp } = event.payload;
      // Only the kernel writes these streams.
      const material = keyMaterial(key as unknown as ApproverKey);
      (multiDevice === false && backedUp === false ? bound : synced).add(material);
    }
    return { bound, synced };
  }

  /** Authorises an upgrade applied outside the kernel: signed last, when only the commit can still fail. */
  private async authorized(
    state: UpgradeState | null,
    { events, effect }: Decision,
    { actor }: Asking,
    now: number,
  ): Promise<UpgradeEvent[]> {
    if (state === null || effect !== null) return events;
    return Promise.all(
      events.map(async (event): Promise<UpgradeEvent> => {
        if (event.type !== 'upgrade.applied' && event.type !== 'upgrade.emergency_applied') return event;
        const envelope = await authorizeDeployment(this.signer, state, {
          origin: this.options.origin,
          signedAt: new Date(now).toISOString(),
          requestedBy: actor.id,
          head: await this.store.recentHead(this.store.shardOf(upgradeStream(state.upgradeId))),
        });
        const authorization = envelope as unknown as JsonObject;
        return { ...event, payload: { ...event.payload, authorization } } as UpgradeEvent;
      }),
    );
  }

  /** Adds the new key's own proof that it is held here. */
  private async counterSigned(
    state: UpgradeState | null,
    effect: Decision['effect'],
  ): Promise<Decision['effect']> {
    const change = state?.manifest.change;
    if (change?.kind !== 'signer_rotation' || effect?.effect.kind !== 'signer_rotation') return effect;
    const counterSignature = await this.possession.prove(change.from, change.to);
    return { ...effect, payload: { ...effect.payload, counterSignature } };
  }

  /** Records a false or late signature: it may be an attempt. */
  private async recordRefusal(
    state: UpgradeState,
    command: UpgradeCommand,
    error: GovernanceError,
    { actor, correlationId }: Asking,
  ): Promise<void> {
    if (command.kind !== 'sign' || !RECORDED_REFUSALS.has(error.code)) return;
    if (state.refusals >= MAX_RECORDED_REFUSALS) return;
    const { action, approverId, keyId, approvedAt } = command;
    await this.store.append({
      actor,
      correlationId,
      writes: [
        {
          stream: upgradeStream(state.upgradeId),
          expectedVersion: 'any',
          events: [
            {
              id: newEventId(),
              type: REFUSED_TYPE,
              payload: {
                upgradeId: state.upgradeId,
                action,
                approverId,
                keyId,
                approvedAt,
                error: error.code,
                reasons: (error.details['reasons'] as string[] | undefined) ?? [error.message],
              },
            },
          ],
        },
      ],
    });
  }
}

/** Who has a passkey in a pool that is proposed, or signs with one; no one where it is no pool, which the decider refuses. */
function approversWithPasskeys(command: UpgradeCommand): string[] {
  if (command.kind === 'sign') return typeof command.signature === 'string' ? [] : [command.approverId];
  if (command.kind !== 'propose' || command.manifest['type'] !== 'approver_pool') return [];
  try {
    return readApproverPool(command.manifest['pool'])
      .approvers.filter(({ keys }) => keys.some(({ algorithm }) => algorithm === 'webauthn'))
      .map(({ id }) => id);
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
}

function changesKeys(effect: Decision['effect']): boolean {
  return effect?.stream.startsWith('signer/') === true;
}

function writesOf(
  upgradeId: string,
  state: UpgradeState | null,
  { events, effect, undone: undoing }: Decision,
  undone: UpgradeState | null,
  versions: readonly StreamVersion[],
): StreamWrite[] {
  const written = ({ type, payload }: UpgradeEvent) => ({ type, payload: payload as unknown as JsonObject });
  const writes: StreamWrite[] = [
    { stream: upgradeStream(upgradeId), expectedVersion: state?.version ?? 0, events: events.map(written) },
  ];
  if (effect !== null) {
    const known = versions.find(({ stream }) => stream === effect.stream);
    writes.push({
      stream: effect.stream,
      // The fence compares the keys: it changes with every change of them.
      expectedVersion: changesKeys(effect) ? 'any' : (known?.version ?? 0),
      events: [{ type: effect.type, payload: effect.payload }],
    });
  }
  if (undoing !== null && undone !== null) {
    writes.push({
      stream: upgradeStream(undone.upgradeId),
      expectedVersion: undone.version,
      events: [written(undoing)],
    });
  }
  return writes;
}

function fold(
  state: UpgradeState | null,
  upgradeId: string,
  committed: readonly StoredEvent[],
): UpgradeState {
  const stream = upgradeStream(upgradeId);
  const after = committed
    .filter(({ event }) => event.stream === stream)
    .reduce<UpgradeState | null>((before, { event }) => evolveUpgrade(before, event), state);
  if (after === null) throw new TypeError(`nothing was decided about ${upgradeId}`);
  return after;
}
