import '../operations/operations.css';
import { Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { sha256Hex } from '#evidence';
import { type components } from '#openapi/kernel';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { Download } from '../../parts/download';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { StateWord } from '../../parts/state-word';
import { Empty, Loaded } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { Permitted } from '../../shell/permitted';
import { Section } from '../operations/section';
import {
  fingerprintOf,
  logKeyOf,
  PURPOSE_TEXTS,
  PURPOSES,
  type RegisteredKey,
  signsFor,
  signsNow,
} from './key-facts';
import { candidatesQuery, keyFileQuery, keysQuery } from './key-queries';
import { MakeKey } from './make-key';

export function KeysScreen(): ReactNode {
  return (
    <Permitted action="keys.read" title="Keys">
      <Keys />
    </Permitted>
  );
}

function Keys(): ReactNode {
  const query = useQuery(keysQuery);
  return (
    <>
      <PageTitle>Keys</PageTitle>
      <Loaded query={query} what="Reading the registry">
        {(registry) => (
          <Stack gap="xl">
            <InForce signers={registry.signers} />
            <Registry signers={registry.signers} />
            <Candidates />
            <TrustRoot registry={registry} />
          </Stack>
        )}
      </Loaded>
    </>
  );
}

function InForce({ signers }: { signers: readonly RegisteredKey[] }): ReactNode {
  return (
    <Section title="Signs now">
      <dl className="facts">
        {PURPOSES.map((purpose) => {
          const key = signsNow(signers, purpose);
          return (
            <div key={purpose} style={{ display: 'contents' }}>
              <dt>
                {purpose}
                <Text size="xs">{PURPOSE_TEXTS[purpose]}</Text>
              </dt>
              <dd>
                {key === undefined ? (
                  'no key'
                ) : (
                  <>
                    <PageLink to="/keys/$kid" params={{ kid: key.signer_kid }} className="mono breaks">
                      {key.signer_kid}
                    </PageLink>
                    <Text size="sm" c="dimmed">
                      registered <Time at={key.deployedAt} /> ·{' '}
                      <PageLink to="/keys/$kid/rotate" params={{ kid: key.signer_kid }}>
                        replace it
                      </PageLink>
                    </Text>
                  </>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
    </Section>
  );
}

export const STATUS_COLOURS = { active: 'teal', retired: 'gray', compromised: 'red' };

function Registry({ signers }: { signers: readonly RegisteredKey[] }): ReactNode {
  return (
    <Section title="Every key, oldest first">
      {signers.length === 0 ? (
        <Empty title="No key is registered">The first come with the kernel&rsquo;s first write.</Empty>
      ) : (
        <DataTable
          caption="Registered keys, oldest first"
          rows={signers}
          keyOf={({ signer_kid }) => signer_kid}
          columns={[
            {
              title: 'Key',
              cell: ({ signer_kid, description }) => (
                <>
                  <PageLink to="/keys/$kid" params={{ kid: signer_kid }} className="mono breaks" fw={600}>
                    {signer_kid}
                  </PageLink>
                  <Text size="xs" c="dimmed" className="breaks">
                    {visibleText(description)}
                  </Text>
                </>
              ),
            },
            {
              title: 'State',
              cell: ({ status, signer_kid }) => {
                const now = signsFor(signers, signer_kid);
                return (
                  <>
                    <StateWord colour={STATUS_COLOURS[status]}>{status}</StateWord>
                    {now.length > 0 && <Text size="xs">signs {now.join(', ')}</Text>}
                  </>
                );
              },
            },
            { title: 'For', isExtra: true, cell: ({ purposes }) => purposes.join(', ') },
            { title: 'Since', isExtra: true, cell: ({ deployedAt }) => <Time at={deployedAt} /> },
            {
              title: 'Fingerprint',
              isExtra: true,
              cell: ({ public_key_pem: pem, signer_kid }) => {
                const fingerprint = fingerprintOf(pem);
                return fingerprint === null ? (
                  'not readable'
                ) : (
                  <Digest value={fingerprint} what={`the fingerprint of ${signer_kid}`} />
                );
              },
            },
          ]}
        />
      )}
    </Section>
  );
}

function Candidates(): ReactNode {
  const query = useQuery(candidatesQuery);
  return (
    <Section title="In reserve">
      <Text size="sm" c="dimmed" mb="xs">
        Keys that the signing backend holds and that sign nothing yet. Keep one for each purpose: the day on
        which a key is lost is a bad day to make one.
      </Text>
      <Loaded query={query} what="Asking the signing backend">
        {({ candidates }) => (
          <Stack gap="sm">
            {candidates.length === 0 ? (
              <Empty title="None">Nothing could take the place of a lost key at once.</Empty>
            ) : (
              <DataTable
                caption="Keys in reserve"
                rows={candidates}
                keyOf={({ signer_kid }) => signer_kid}
                columns={[
                  {
                    title: 'Key',
                    cell: ({ signer_kid }) => <span className="mono breaks">{signer_kid}</span>,
                  },
                  { title: 'For', cell: ({ purposes }) => purposes.join(', ') },
                  {
                    title: 'Fingerprint',
                    isExtra: true,
                    cell: ({ public_key_pem: pem, signer_kid }) => (
                      <Digest value={fingerprintOf(pem) ?? ''} what={`the fingerprint of ${signer_kid}`} />
                    ),
                  },
                ]}
              />
            )}
            <MakeKey />
          </Stack>
        )}
      </Loaded>
    </Section>
  );
}

/** More shards than anybody reads: the file has the rest. */
const MOST_LOG_KEYS = 8;

function TrustRoot({ registry }: { registry: components['schemas']['Signers'] }): ReactNode {
  const { origin, shards = 1, signers, log, approverPool } = registry;
  const shown = Array.from({ length: Math.min(shards, MOST_LOG_KEYS) }, (_, shard) => shard);
  return (
    <Section title="For verifiers">
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <KeyFile name="signers.json" type="application/json">
            The trust root: which keys may sign, and from where to where. Get it through a channel that you
            trust.
          </KeyFile>
          <KeyFile name="jwks.json" type="application/jwk-set+json">
            The same keys as a JSON Web Key Set.
          </KeyFile>
        </SimpleGrid>
        <dl className="facts">
          <dt>Kernel</dt>
          <dd>{origin ?? 'not said'}</dd>
          <dt>Shards</dt>
          <dd>{shards}</dd>
          <dt>First approver pool</dt>
          <dd>
            {approverPool === undefined || approverPool === null ? (
              'none'
            ) : (
              <Digest value={approverPool.sha256} what="the digest of the first approver pool" whole />
            )}
          </dd>
          {origin !== undefined &&
            shown.map((shard) => {
              const text = logKeyOf(signers, origin, shard);
              return (
                <div key={shard} style={{ display: 'contents' }}>
                  <dt>Log key{shards > 1 && `, shard ${shard}`}</dt>
                  <dd>
                    {text === null ? (
                      'no key signs checkpoints'
                    ) : (
                      <Digest value={text} what="the log key" whole />
                    )}
                  </dd>
                </div>
              );
            })}
          <dt>Witnesses</dt>
          <dd>
            {log === undefined || log.witnesses.length === 0 ? (
              'none asked for'
            ) : (
              <>
                {log.quorum} of {log.witnesses.length} must have cosigned
                {log.witnesses.map((witness) => (
                  <div key={witness} className="mono breaks">
                    {visibleText(witness)}
                  </div>
                ))}
              </>
            )}
          </dd>
        </dl>
        {shards > MOST_LOG_KEYS && (
          <Text size="sm" c="dimmed">
            The log keys of the other {shards - MOST_LOG_KEYS} shards have the same public key.
          </Text>
        )}
      </Stack>
    </Section>
  );
}

function KeyFile({
  name,
  type,
  children,
}: {
  name: 'signers.json' | 'jwks.json';
  type: string;
  children: ReactNode;
}): ReactNode {
  const query = useQuery(keyFileQuery(name));
  return (
    <Loaded query={query} what={`Reading ${name}`}>
      {(text) => (
        <Stack gap={4}>
          <Group gap="sm">
            <Text fw={600}>{name}</Text>
            <Download text={text} name={name} type={type}>{`Download ${name}`}</Download>
          </Group>
          <Text size="sm" c="dimmed">
            {children}
          </Text>
          <Text size="xs" c="dimmed">
            SHA-256 of the file as it is now
          </Text>
          <Digest value={sha256Hex(text)} what={`the SHA-256 of ${name}`} whole />
        </Stack>
      )}
    </Loaded>
  );
}
