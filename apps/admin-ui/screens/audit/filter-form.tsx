import { Button, Collapse, Group, SimpleGrid, TextInput } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type ReactNode, useId, useState } from 'react';
import { useDraft } from '../../session/draft';
import { conditionsOf, FILTERS, filterQuery, type Filters, readFilters } from './filters';

/** Filters go into the address when they are applied, so that a list can be sent to somebody else. */
export function FilterForm({ filters }: { filters: Filters }): ReactNode {
  const navigate = useNavigate();
  const id = useId();
  const applied = conditionsOf(filters);
  const [typed, setTyped, forget] = useDraft<Record<string, string>>(
    `audit-filters:${filterQuery(filters)}`,
    {
      ...applied,
    },
  );
  const count = Object.keys(applied).length;
  const differs = FILTERS.some(({ name }) => (typed[name] ?? '') !== (applied[name] ?? ''));
  const [isOpen, setOpen] = useState(count > 0 || differs);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    forget();
    void navigate({ to: '/audit', search: readFilters({ ...typed, order: filters.order }) });
  };
  return (
    <>
      <Group mt="sm" gap="sm">
        <Button
          variant="default"
          size="sm"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          {count === 0 ? 'Filters' : `Filters (${count})`}
        </Button>
        {count > 0 && (
          <Button
            variant="subtle"
            size="sm"
            onClick={() => {
              forget();
              void navigate({ to: '/audit', search: {} });
            }}
          >
            Clear filters
          </Button>
        )}
      </Group>
      <Collapse expanded={isOpen} id={id}>
        <form onSubmit={submit} aria-label="Filters">
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} mt="sm" spacing="sm">
            {FILTERS.map(({ name, label, example }) => (
              <TextInput
                key={name}
                label={label}
                placeholder={example}
                value={typed[name] ?? ''}
                onChange={({ currentTarget: { value } }) => setTyped({ ...typed, [name]: value })}
                maxLength={2048}
                spellCheck={false}
                autoComplete="off"
              />
            ))}
          </SimpleGrid>
          <Group mt="sm">
            <Button type="submit" size="sm">
              Apply
            </Button>
          </Group>
        </form>
      </Collapse>
    </>
  );
}
