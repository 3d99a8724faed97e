import { type ReactNode } from 'react';
import { PageTitle } from '../parts/page-title';
import { Forbidden } from '../parts/states';
import { type Action, useSession, whyNot } from '../session/session';

/** A screen for those who have a right; others are told what they lack. The kernel decides again at each request. */
export function Permitted({
  action,
  title,
  children,
}: {
  action: Action;
  title: string;
  children: ReactNode;
}): ReactNode {
  const session = useSession();
  const why = whyNot(session, action);
  if (why === null) return children;
  return (
    <>
      <PageTitle>{title}</PageTitle>
      <Forbidden why={session.roleless === null ? why : `${why} ${session.roleless}`} />
    </>
  );
}
