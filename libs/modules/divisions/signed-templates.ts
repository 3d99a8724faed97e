import { Injectable } from '@nestjs/common';
import { type JsonObject, type JsonValue } from '#evidence';
import { EventStore } from '#platform/event-store';
import { SignerSource } from '#platform/signer';
import { DivisionError } from './domain/division.error';
import {
  assertSigned,
  assertSignedOnce,
  isSameEnvelope,
  recordedSignature,
  type RecordedSignature,
  type Template,
  templateFor,
} from './domain/template';
import { DivisionsOptions } from './divisions.options';

/** The template with its envelope, or the event that recorded its signature, or both. */
export type TemplateSource =
  | { manifest: JsonObject; envelope: JsonValue; auditId?: string }
  | { manifest?: JsonObject; envelope?: undefined; auditId: string };

/** Signatures over one manifest that are looked through for a given one, newest first. */
const PAGE = 200;
const MAX_PAGES = 5;

/** Templates of agents: signed by this kernel, and in its chain. */
@Injectable()
export class SignedTemplates {
  constructor(
    private readonly store: EventStore,
    private readonly signers: SignerSource,
    private readonly options: DivisionsOptions,
  ) {}

  /**
   * A signature alone is not enough: the thief of a manifest key could make one, but could not get it into the chain.
   * @throws DivisionError `invalid_signature`, `template_not_recorded`, `invalid_template`
   */
  async verified(source: TemplateSource, divisionId: string): Promise<Template> {
    const signers = await this.signers.signers({ fresh: true });
    const { origin } = this.options;
    const { manifest, envelope, auditId } = source;
    if (envelope === undefined) {
      const recorded = await this.recordedBy(auditId);
      assertSigned(manifest === undefined ? recorded : { manifest }, recorded, signers, origin);
      return templateFor(divisionId, manifest ?? null, recorded);
    }
    const stream = assertSignedOnce({ manifest }, envelope, signers, origin);
    const recorded =
      auditId === undefined ? await this.findRecord(stream, envelope) : await this.recordedBy(auditId);
    if (!isSameEnvelope(recorded.envelope, envelope)) {
      throw notRecorded(`The event ${recorded.eventId} has recorded another signature than this one.`);
    }
    assertSigned({ manifest }, recorded, signers, origin);
    return templateFor(divisionId, manifest, recorded);
  }

  private async recordedBy(auditId: string): Promise<RecordedSignature> {
    const stored = await this.store.getById(auditId);
    const recorded = stored === null ? null : recordedSignature(stored.event);
    if (recorded !== null) return recorded;
    throw notRecorded(`No event ${auditId} has recorded a manifest's signature.`);
  }

  private async findRecord(stream: string, envelope: JsonValue): Promise<RecordedSignature> {
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const found = await this.store.query({
        stream,
        order: 'newest',
        limit: PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { event } of found.events) {
        const recorded = recordedSignature(event);
        if (recorded !== null && isSameEnvelope(recorded.envelope, envelope)) return recorded;
      }
      cursor = found.nextCursor;
      if (cursor === null) break;
    }
    throw notRecorded(
      `The chain has no such signature${cursor === null ? '' : ` among the newest ${PAGE * MAX_PAGES} of ${stream}; name its event in auditId`}.`,
    );
  }
}

function notRecorded(message: string): DivisionError {
  return new DivisionError('template_not_recorded', message);
}
