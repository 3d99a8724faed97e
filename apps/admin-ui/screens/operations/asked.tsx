import { Button } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { Question } from '../../parts/question';
import { WhyButton } from '../../parts/why-button';
import { CommandFailure } from './command-state';
import { Effects } from './confirmation';
import { type Command } from '../../api/use-command';

/** A button that asks before it does something: what would happen, and yes or no. */
export function AskedButton<Body, Answer>({
  label,
  title,
  effects,
  why = null,
  command,
  body,
  color,
  size = 'compact-sm',
}: {
  label: string;
  /** The question; names what it is about. */
  title: string;
  effects: readonly string[];
  why?: string | null;
  command: Command<Body, Answer>;
  body: Body;
  color?: string;
  size?: string;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  const close = () => {
    setOpen(false);
    command.reset();
  };
  return (
    <>
      <WhyButton
        why={why}
        size={size}
        variant="default"
        onClick={() => {
          command.reset();
          setOpen(true);
        }}
      >
        {label}
      </WhyButton>
      <Question
        title={title}
        opened={isOpen}
        close={close}
        buttons={
          <>
            <Button variant="default" onClick={close} data-autofocus>
              Leave it
            </Button>
            <Button
              {...(color !== undefined && { color })}
              loading={command.isPending}
              onClick={() => command.mutate(body, { onSuccess: () => setOpen(false) })}
            >
              {label}
            </Button>
          </>
        }
      >
        <Effects of={effects} />
        <CommandFailure error={command.error} />
      </Question>
    </>
  );
}
