import { Button, Group, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useState } from 'react';
import { answered, api } from '../../api/client';
import { ApiProblem, told } from '../../api/problem';
import { statusQuery } from '../../api/queries';
import { eventAt } from './event-queries';
import { sought } from './filters';

/** One line for whatever somebody has in hand: an id, a position, a digest, a stream, a type, an actor. */
export function SearchLine(): ReactNode {
  const navigate = useNavigate();
  const { data: status } = useQuery(statusQuery);
  const [text, setText] = useState('');
  const [says, setSays] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);

  const find = async (): Promise<string | null> => {
    const what = sought(text, new Set(status?.signers.map(({ signer_kid: kid }) => kid)));
    if (what === null) return 'Type what you look for.';
    if (what.kind === 'filter') {
      await navigate({ to: '/audit', search: what.filters });
      return null;
    }
    if (what.kind === 'position') {
      const event = await eventAt(what.shard, what.seq);
      if (event === null) return `There is no event at ${what.shard}:${what.seq}.`;
      await navigate({ to: '/audit/$id', params: { id: event.id } });
      return null;
    }
    try {
      await answered(api.GET('/kernel/audit/{id}', { params: { path: { id: what.id } } }));
      await navigate({ to: '/audit/$id', params: { id: what.id } });
    } catch (error) {
      if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
      // No event has this id: it may be that of a request.
      await navigate({ to: '/audit', search: { correlationId: what.id } });
    }
    return null;
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    find()
      .catch((error: unknown) => told(error).detail)
      .then((sentence) => {
        setSays(sentence);
        setBusy(false);
      })
      .catch(() => undefined);
  };

  return (
    <form onSubmit={submit} role="search">
      <Group align="flex-end" gap="sm">
        <TextInput
          label="Find"
          description="An event's or a request's id, a position such as 0:17, a digest, a stream, a type, a signing key or an actor"
          value={text}
          onChange={({ currentTarget }) => setText(currentTarget.value)}
          maxLength={2048}
          spellCheck={false}
          autoComplete="off"
          flex={1}
          miw={220}
        />
        <Button type="submit" loading={isBusy}>
          Find
        </Button>
      </Group>
      {says !== null && (
        <Text size="sm" mt={4} role="alert">
          {says}
        </Text>
      )}
    </form>
  );
}
