import '../operations/operations.css';
import { SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { answered, api } from '../../api/client';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { visibleText } from '../../parts/visible-text';
import { useDraft } from '../../session/draft';
import { Permitted } from '../../shell/permitted';
import { Recorded } from '../operations/command-state';
import { Confirmation } from '../operations/confirmation';
import { useCommand } from '../../api/use-command';
import { filterOf, filterText, type TypedFilter } from './filter-text';
import { SecretOnce } from './secret-once';

export function NewWebhookScreen(): ReactNode {
  return (
    <Permitted action="webhook.manage" title="Add a webhook">
      <PageTitle>Add a webhook</PageTitle>
      <Form />
    </Permitted>
  );
}

interface Typed extends TypedFilter {
  readonly url: string;
  readonly description: string;
}

const NOTHING: Typed = { url: '', description: '', types: '', subject: '', division: '', actor: '' };

function Form(): ReactNode {
  const [typed, setTyped, forget] = useDraft<Typed>('new-webhook', NOTHING);
  const command = useCommand(
    (body: components['schemas']['NewWebhook'], key) =>
      answered(api.POST('/kernel/webhooks', { params: { header: { 'Idempotency-Key': key } }, body })),
    { touches: [['webhooks']], done: () => forget() },
  );
  if (command.data !== undefined) {
    const { id, url, position, audit_id: auditId, signingSecret } = command.data;
    return (
      <Stack gap="md">
        <Recorded title={`${visibleText(url)} is subscribed`} position={position} auditId={auditId}>
          Sending begins with the events after it.{' '}
          <PageLink to="/webhooks/$webhookId" params={{ webhookId: id }}>
            The webhook
          </PageLink>
        </Recorded>
        <SecretOnce secret={signingSecret} />
      </Stack>
    );
  }
  const change = (part: Partial<Typed>) => setTyped({ ...typed, ...part });
  const url = typed.url.trim();
  const description = typed.description.trim();
  const filter = filterOf(typed);
  const isAddress = /^https:\/\/[^\s]+$/.test(url) && URL.canParse(url);
  const none = { types: null, subject: null, division: null, actor: null };
  return (
    <Stack gap="md">
      <TextInput
        label="Address"
        description="https; the chain shows it, so it must hold no secret"
        placeholder="https://hooks.example.com/kernel"
        value={typed.url}
        onChange={({ currentTarget: { value } }) => change({ url: value })}
        error={url !== '' && !isAddress ? 'It has to be an https address.' : null}
        maxLength={2_048}
        spellCheck={false}
        autoComplete="off"
      />
      <TextInput
        label="Description, for people"
        value={typed.description}
        onChange={({ currentTarget: { value } }) => change({ description: value })}
        maxLength={500}
        autoComplete="off"
      />
      <Textarea
        label="Types of events (all unless given)"
        placeholder="invoice.paid, invoice.sent"
        value={typed.types}
        onChange={({ currentTarget: { value } }) => change({ types: value })}
        maxLength={8_000}
        rows={2}
        spellCheck={false}
      />
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <TextInput
          label="Stream begins with"
          placeholder="invoice/"
          value={typed.subject}
          onChange={({ currentTarget: { value } }) => change({ subject: value })}
          maxLength={255}
          spellCheck={false}
          autoComplete="off"
        />
        <TextInput
          label="Division"
          placeholder="product"
          value={typed.division}
          onChange={({ currentTarget: { value } }) => change({ division: value })}
          maxLength={255}
          spellCheck={false}
          autoComplete="off"
        />
        <TextInput
          label="Actor"
          value={typed.actor}
          onChange={({ currentTarget: { value } }) => change({ actor: value })}
          maxLength={2_048}
          spellCheck={false}
          autoComplete="off"
        />
      </SimpleGrid>
      {isAddress ? (
        <Confirmation
          key={url}
          effects={[
            `${filterText({ ...none, ...filter })} of every division: what the kernel records leaves it, to ${url}.`,
            'Its secret is shown once, here, when it is done.',
          ]}
          words={`send to ${new URL(url).host}`}
          label="Add the webhook"
          fresh
          pending={command.isPending}
          error={command.error}
          run={() =>
            command.mutate({
              url,
              ...(description !== '' && { description }),
              ...(filter !== undefined && { filter }),
            })
          }
        />
      ) : (
        <Text c="dimmed">Give the address first.</Text>
      )}
    </Stack>
  );
}
