import '../operations/operations.css';
import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode } from 'react';
import { type components } from '#openapi/kernel';
import { PageLink } from '../../parts/page-link';
import { PageTitle } from '../../parts/page-title';
import { Empty, Loaded } from '../../parts/states';
import { Permitted } from '../../shell/permitted';
import { type RegisteredKey } from './key-facts';
import { keysQuery } from './key-queries';

interface OneKeyProps {
  kid: string;
  title: string;
  children: (key: RegisteredKey, registry: components['schemas']['Signers']) => ReactNode;
}

/** A page about one key of the registry; it says so when there is none of that name. */
export function OneKey({ kid, title, children }: OneKeyProps): ReactNode {
  return (
    <Permitted action="keys.read" title={title}>
      <Page kid={kid} title={title}>
        {children}
      </Page>
    </Permitted>
  );
}

function Page({ kid, title, children }: OneKeyProps): ReactNode {
  const query = useQuery(keysQuery);
  return (
    <>
      <PageTitle>{title}</PageTitle>
      <Loaded query={query} what="Reading the registry">
        {(registry) => {
          const key = registry.signers.find(({ signer_kid }) => signer_kid === kid);
          if (key === undefined) {
            return (
              <Empty title="There is no key of this name">
                <Text span inherit>
                  Keys that were never registered are <PageLink to="/keys">in reserve</PageLink>.
                </Text>
              </Empty>
            );
          }
          return children(key, registry);
        }}
      </Loaded>
    </>
  );
}
