import { Card, Group, Stack, Text } from '@mantine/core';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode } from 'react';
import { DataTable } from '../../parts/cursor-table';
import { Digest } from '../../parts/digest';
import { Download } from '../../parts/download';
import { RawText } from '../../parts/json-view';
import { PageLink } from '../../parts/page-link';
import { StateWord } from '../../parts/state-word';
import { Empty } from '../../parts/states';
import { Time } from '../../parts/times';
import { visibleText } from '../../parts/visible-text';
import { WhyButton } from '../../parts/why-button';
import { useSession, whyNot } from '../../session/session';
import { Section } from '../operations/section';
import { fingerprintOf, type RegisteredKey, signsFor, spanRows, spanText } from './key-facts';
import { STATUS_COLOURS } from './keys.screen';
import { OneKey } from './one-key';
import { whyNotCompromise, whyNotRetire, whyNotRotate } from './why-not-key';

const route = getRouteApi('/keys/$kid');

export function KeyScreen(): ReactNode {
  const { kid } = route.useParams();
  return (
    <OneKey kid={kid} title={visibleText(kid)}>
      {(key, { signers }) => <KeyPage keyOf={key} signers={signers} />}
    </OneKey>
  );
}

function KeyPage({
  keyOf: key,
  signers,
}: {
  keyOf: RegisteredKey;
  signers: readonly RegisteredKey[];
}): ReactNode {
  const { signer_kid: kid, status, public_key_pem: pem } = key;
  const now = signsFor(signers, kid);
  const rows = spanRows(key.span);
  const fingerprint = fingerprintOf(pem);
  return (
    <Stack gap="lg">
      <Card withBorder>
        <dl className="facts">
          <dt>State</dt>
          <dd>
            <StateWord colour={STATUS_COLOURS[status]}>{status}</StateWord>
          </dd>
          <dt>Signs now</dt>
          <dd>{now.length === 0 ? 'nothing' : now.join(', ')}</dd>
          <dt>May sign</dt>
          <dd>{key.purposes.join(', ')}</dd>
          <dt>Description</dt>
          <dd>{visibleText(key.description)}</dd>
          <dt>Registered</dt>
          <dd>
            <Time at={key.deployedAt} />
          </dd>
          {key.retiredAt !== null && (
            <>
              <dt>Retired</dt>
              <dd>
                <Time at={key.retiredAt} />
              </dd>
            </>
          )}
          {key.compromisedAt !== null && (
            <>
              <dt>In doubt since</dt>
              <dd>
                <Time at={key.compromisedAt} />
              </dd>
            </>
          )}
          <dt>Fingerprint</dt>
          <dd>
            {fingerprint === null ? (
              'not readable'
            ) : (
              <Digest value={fingerprint} what="the fingerprint" whole />
            )}
            <Text size="xs" c="dimmed">
              SHA-256 of the public key (DER):{' '}
              <span className="mono">openssl pkey -pubin -outform DER | sha256sum</span>
            </Text>
          </dd>
          <dt>In the chain</dt>
          <dd>
            <PageLink to="/audit" search={{ stream: `signer/${kid}` }}>
              what was recorded about it
            </PageLink>
            {', '}
            <PageLink to="/audit" search={{ signerKid: kid }}>
              events that it signed
            </PageLink>
          </dd>
        </dl>
      </Card>
      <Section title="Where it signs">
        {rows.length === 0 ? (
          <Empty title="The registry does not say" />
        ) : (
          <DataTable
            caption="Where the key signs, shard by shard"
            rows={rows}
            keyOf={({ shard }) => String(shard)}
            columns={[
              { title: 'Shard', cell: ({ shard }) => shard },
              { title: 'Positions', cell: spanText },
              {
                title: 'In doubt',
                cell: ({ doubtFrom }) => (doubtFrom === null ? 'nothing' : `from ${doubtFrom} on`),
              },
            ]}
          />
        )}
      </Section>
      <Section title="Public key">
        <RawText text={pem} what="Public key in PEM">
          <Download text={pem} name={`${kid}.pem`} type="application/x-pem-file">
            Download the key
          </Download>
        </RawText>
      </Section>
      <Steps keyOf={key} signers={signers} />
    </Stack>
  );
}

function Steps({
  keyOf: key,
  signers,
}: {
  keyOf: RegisteredKey;
  signers: readonly RegisteredKey[];
}): ReactNode {
  const session = useSession();
  const navigate = useNavigate();
  const { signer_kid: kid } = key;
  const may = whyNot(session, 'keys.manage');
  return (
    <Section title="What can be done with it">
      <Group align="flex-start" gap="md">
        <WhyButton
          why={whyNotRotate(session, key, signers)}
          onClick={() => void navigate({ to: '/keys/$kid/rotate', params: { kid } })}
        >
          Replace it …
        </WhyButton>
        <WhyButton
          why={may ?? whyNotRetire(key, signers)}
          variant="default"
          onClick={() => void navigate({ to: '/keys/$kid/retire', params: { kid } })}
        >
          Retire it …
        </WhyButton>
        <WhyButton
          why={may ?? whyNotCompromise(key)}
          variant="default"
          onClick={() => void navigate({ to: '/keys/$kid/compromise', params: { kid } })}
        >
          Others may have it …
        </WhyButton>
      </Group>
    </Section>
  );
}
