import { Text } from '@mantine/core';
import { type ReactNode, useId } from 'react';

/** One of a few, each with a line that says what it is. */
export function Choices<Value extends string>({
  legend,
  value,
  choose,
  choices,
}: {
  legend: string;
  value: Value | null;
  choose: (value: Value) => void;
  choices: readonly { readonly value: Value; readonly label: string; readonly detail?: string }[];
}): ReactNode {
  const name = useId();
  return (
    <fieldset className="choices">
      <legend>{legend}</legend>
      {choices.map((choice) => (
        <label key={choice.value}>
          <input
            type="radio"
            name={name}
            checked={choice.value === value}
            onChange={() => choose(choice.value)}
          />
          <span className="breaks">
            {choice.label}
            {choice.detail !== undefined && (
              <Text span display="block" size="sm" c="dimmed">
                {choice.detail}
              </Text>
            )}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
