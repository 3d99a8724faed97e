import { Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { PageTitle } from '../parts/page-title';
import { PageLink } from '../parts/page-link';

export function NotFound(): ReactNode {
  return (
    <>
      <PageTitle>There is no such page</PageTitle>
      <Text>
        The address may be misspelt, or of another version of the kernel.{' '}
        <PageLink to="/">Go to the overview</PageLink>.
      </Text>
    </>
  );
}
