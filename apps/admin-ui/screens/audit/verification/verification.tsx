import { Alert, Badge, Button, Card, FileButton, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useRef, useState } from 'react';
import { type AuditEvent } from '../../../api/queries';
import { Digest } from '../../../parts/digest';
import { Failure, Loading } from '../../../parts/states';
import { visibleText } from '../../../parts/visible-text';
import { type EventVerdict, type Step, type StepName } from './judge-event';
import { readTrustFile, type TrustChoice, useTrustFile } from './trust-files';
import { useGivenEvent } from './use-given-event';
import { verificationQuery } from './verification-query';

const TITLES: Readonly<Record<StepName, string>> = {
  content: 'Content and hash',
  link: 'Link to the event before',
  group: 'Path in its group',
  signature: 'Signature',
  key: 'Key',
  receipt: 'Receipt',
  cosignatures: 'Cosignatures',
};
const VERDICTS: Readonly<Record<Step['verdict'], { word: string; colour: string }>> = {
  right: { word: 'right', colour: 'teal' },
  wrong: { word: 'wrong', colour: 'red' },
  unknown: { word: 'not known', colour: 'gray' },
};

/** One event judged in this browser, step by step, by the keys that the kernel serves or those that the person has. */
export function Verification({ event, text }: { event: AuditEvent; text: string }): ReactNode {
  const signers = useTrustFile('signers');
  const policy = useTrustFile('policy');
  const { given, error } = useGivenEvent(event, text, { signers: signers.file, policy: policy.file });
  const { data: answer, error: failed } = useQuery(verificationQuery(given));
  const verdict = answer !== undefined && 'verdict' in answer ? answer.verdict : null;
  return (
    <Card withBorder>
      <Stack gap="md">
        {verdict !== null ? (
          <Verdict verdict={verdict} isOwn={signers.file !== null} />
        ) : answer !== undefined && 'unreadable' in answer ? (
          <Alert color="red" title="Nothing was verified" role="alert">
            <Text size="sm" className="breaks">
              {visibleText(answer.unreadable)}
            </Text>
          </Alert>
        ) : answer !== undefined && 'failed' in answer ? (
          <Failure error={new Error(answer.failed)} />
        ) : (error ?? failed) !== null ? (
          <Failure error={error ?? failed} />
        ) : (
          <Loading what="Verifying" />
        )}
        <Trust signers={signers} policy={policy} verdict={verdict} />
      </Stack>
    </Card>
  );
}

/** What it comes to. By keys that came from the kernel itself it is no more than that the kernel agrees with itself. */
function summary(
  { steps, faults }: EventVerdict,
  isOwn: boolean,
): { title: string; colour: string; text: string } {
  if (steps.some(({ verdict }) => verdict === 'wrong') || (faults?.length ?? 0) > 0) {
    return {
      title: 'Not verified',
      colour: 'red',
      text: 'Something is wrong: with the event, with its receipt, or with what it is judged by. Tell the auditors; they have tools/audit-verify.js.',
    };
  }
  const log =
    faults === null
      ? ' It is not in the published log yet: whoever has the signing key could still replace it.'
      : '';
  return isOwn
    ? { title: 'Verified by your keys', colour: 'teal', text: `The event is as it was signed.${log}` }
    : {
        title: 'Consistent with what this kernel says of itself',
        colour: 'yellow',
        text: `Nothing is wrong, by keys that came from the kernel too.${log}`,
      };
}

function Verdict({ verdict, isOwn }: { verdict: EventVerdict; isOwn: boolean }): ReactNode {
  const { title, colour, text } = summary(verdict, isOwn);
  return (
    <>
      <Alert color={colour} title={title} role="status">
        <Text size="sm">{text}</Text>
      </Alert>
      <ol className="plain-list verification-steps" aria-label="Steps of the verification">
        {verdict.steps.map(({ name, verdict: found, reason }) => (
          <li key={name}>
            <Group gap="sm" wrap="nowrap" align="flex-start">
              <Badge
                variant="outline"
                color={VERDICTS[found].colour}
                tt="none"
                miw={90}
                styles={{ label: { color: 'var(--mantine-color-text)' } }}
              >
                {VERDICTS[found].word}
              </Badge>
              <div>
                <Text fw={600}>{TITLES[name]}</Text>
                <Text size="sm" c="dimmed" className="breaks">
                  {visibleText(reason)}
                </Text>
              </div>
            </Group>
          </li>
        ))}
      </ol>
      <Text size="sm" c="dimmed">
        Not checked: {verdict.notChecked.map(visibleText).join('; ')}.
      </Text>
    </>
  );
}

/** What is trusted, where it came from, and how to trust something else. */
function Trust({
  signers,
  policy,
  verdict,
}: {
  signers: TrustChoice;
  policy: TrustChoice;
  verdict: EventVerdict | null;
}): ReactNode {
  return (
    <Stack gap="xs" component="section" aria-label="What is trusted">
      <Text fw={600}>What is trusted</Text>
      {signers.file === null ? (
        <Text size="sm">
          The signers.json that this kernel serves. That goes in a circle: whoever could change its events and
          these pages could change its keys too. Load the signers.json that you were given in another way,
          such as on paper, by mail or from a repository.
        </Text>
      ) : (
        <Text size="sm" className="breaks">
          Your file {visibleText(signers.file.name)}. It is read by this browser and sent nowhere; this page
          itself still comes from the kernel, and tools/verify.html does not.
        </Text>
      )}
      {verdict !== null && (
        <dl className="facts">
          <dt>Kernel</dt>
          <dd>
            {verdict.trust.origin}, {verdict.trust.keys} {verdict.trust.keys === 1 ? 'key' : 'keys'}
          </dd>
          <dt>SHA-256 of the file</dt>
          <dd>
            <Digest value={verdict.trust.sha256} what="the digest of signers.json" whole />
          </dd>
        </dl>
      )}
      <Text size="sm" className="breaks">
        {policy.file === null
          ? 'Witnesses are those that signers.json names, if it names any.'
          : `Witnesses are those of your policy ${visibleText(policy.file.name)}.`}
      </Text>
      <FileChoice
        choice={signers}
        label="Load your signers.json"
        back="Trust the kernel's keys again"
        accept=".json,application/json"
      />
      <FileChoice
        choice={policy}
        label="Load your log policy"
        back="Trust no policy of your own"
        accept="text/plain,.txt,.policy"
      />
    </Stack>
  );
}

function FileChoice({
  choice,
  label,
  back,
  accept,
}: {
  choice: TrustChoice;
  label: string;
  back: string;
  accept: string;
}): ReactNode {
  const [problem, setProblem] = useState<string | null>(null);
  const reset = useRef<() => void>(null);
  const take = (file: File | null) => {
    if (file === null) return;
    // The same file may be chosen again, when it has changed.
    reset.current?.();
    readTrustFile(file).then(
      (read) => {
        setProblem(null);
        choice.choose(read);
      },
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  };
  return (
    <>
      <Group gap="sm">
        <FileButton
          onChange={take}
          accept={accept}
          resetRef={reset}
          inputProps={{ 'aria-label': label, tabIndex: -1 }}
        >
          {(props) => (
            <Button variant="default" size="sm" {...props}>
              {label}
            </Button>
          )}
        </FileButton>
        {choice.file !== null && (
          <Button variant="subtle" size="sm" onClick={choice.forget}>
            {back}
          </Button>
        )}
      </Group>
      {problem !== null && (
        <Text size="sm" role="alert" className="breaks">
          {problem}
        </Text>
      )}
    </>
  );
}
