import { Alert, Text } from '@mantine/core';
import { type ReactNode } from 'react';
import { ApiProblem, told, Unreachable } from '../../api/problem';
import { permitted, useSession } from '../../session/session';
import { PageLink } from '../../parts/page-link';
import { visibleText } from '../../parts/visible-text';

/** Why a command was not carried out, as far as that is known. */
export function CommandFailure({ error }: { error: Error | null }): ReactNode {
  if (error === null) return null;
  // The dialogs of the session say it.
  if (error instanceof ApiProblem && error.status === 401) {
    return (
      <Text size="sm" role="status">
        Nothing was done: the kernel wants you to sign in first.
      </Text>
    );
  }
  const { title: general, detail, reference } = told(error);
  // A conflict is mostly a rule that forbids it now (too soon, over budget), which the sentence says.
  const isRule = error instanceof ApiProblem && error.status === 409 && error.word !== 'version_conflict';
  const title = isRule ? 'The kernel refuses' : general;
  const isUnknown = error instanceof Unreachable;
  return (
    <Alert color={isUnknown ? 'yellow' : 'red'} role="alert" title={title}>
      <Text size="sm" className="breaks">
        {isUnknown
          ? 'Whether it was done is not known. Press the button again: it is done once, however often it is asked for.'
          : visibleText(detail)}
        {reference !== null && ` For the operators: the log has the cause under ${reference}.`}
      </Text>
    </Alert>
  );
}

/** What the kernel has answered: that it is done, and where the chain says so. */
export function Recorded({
  title,
  position,
  auditId,
  children,
}: {
  title: string;
  position?: string | null;
  auditId?: string | null;
  children?: ReactNode;
}): ReactNode {
  const reads = permitted(useSession(), 'audit.read') !== false;
  return (
    <Alert color="teal" role="status" title={title}>
      <Text size="sm" className="breaks">
        {position === null &&
          'It is not in the chain yet: it is recorded as soon as something can be signed. '}
        {typeof position === 'string' && (
          <>
            Recorded in the chain
            {typeof auditId === 'string' && reads ? (
              <>
                {' '}
                as{' '}
                <PageLink to="/audit/$id" params={{ id: auditId }}>
                  event {position}
                </PageLink>
                .{' '}
              </>
            ) : (
              ` at ${position}. `
            )}
          </>
        )}
        {children}
      </Text>
    </Alert>
  );
}
