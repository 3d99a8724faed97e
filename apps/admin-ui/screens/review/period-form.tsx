import { Button, Group, NativeSelect, SimpleGrid, Text, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { PageLink } from '../../parts/page-link';
import { STATUS_NAMES, STATUSES } from '../upgrades/lists';
import { presets, readReviewSearch, type ReviewSearch, whyNoPeriod } from './review-search';

/** Links, not buttons: each period has an address. */
export function Presets({ search }: { search: ReviewSearch }): ReactNode {
  const { person, type, status } = search;
  const [now] = useState(Date.now);
  return (
    <Group component="nav" aria-label="Periods" gap="lg" mb="md">
      {presets(now).map(({ label, from, to }) => (
        <PageLink
          key={label}
          to="/review"
          search={readReviewSearch({ person, type, status, from, to })}
          {...(from === search.from && to === search.to && { 'aria-current': 'page' as const, fw: 700 })}
        >
          {label}
        </PageLink>
      ))}
    </Group>
  );
}

/** Period and filters of a report; what is chosen goes into the address. */
export function PeriodForm({ search }: { search: ReviewSearch }): ReactNode {
  const navigate = useNavigate();
  const id = useId();
  const [typed, setTyped] = useState({
    from: search.from ?? '',
    to: search.to ?? '',
    person: search.person ?? '',
    type: search.type ?? '',
    status: search.status ?? '',
  });
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const why = whyNoPeriod(typed.from, typed.to);
    setProblem(why);
    if (why === null) void navigate({ to: '/review', search: readReviewSearch(typed) });
  };
  const set = (name: keyof typeof typed) => (event: { currentTarget: { value: string } }) =>
    setTyped({ ...typed, [name]: event.currentTarget.value });
  const text = { maxLength: 2048, spellCheck: false, autoComplete: 'off' };
  return (
    <form onSubmit={submit} aria-label="Period and filters" noValidate>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 5 }} spacing="sm">
        <TextInput label="First day" type="date" value={typed.from} onChange={set('from')} />
        <TextInput label="Last day" type="date" value={typed.to} onChange={set('to')} />
        <TextInput
          label="Person"
          placeholder="an approver, or who calls"
          value={typed.person}
          onChange={set('person')}
          {...text}
        />
        <TextInput label="Type" placeholder="code" value={typed.type} onChange={set('type')} {...text} />
        <NativeSelect
          label="Status at the end"
          value={typed.status}
          onChange={set('status')}
          data={[
            { value: '', label: 'all' },
            ...STATUS_NAMES.map((name) => ({ value: name, label: STATUSES[name].label })),
          ]}
        />
      </SimpleGrid>
      <Group mt="sm">
        <Button type="submit" size="sm" {...(problem !== null && { 'aria-describedby': id })}>
          Report
        </Button>
        {problem !== null && (
          <Text size="sm" role="alert" id={id}>
            {problem}
          </Text>
        )}
      </Group>
    </form>
  );
}
