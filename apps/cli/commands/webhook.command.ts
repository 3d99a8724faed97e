import { type Command } from 'commander';
import {
  type Webhook,
  type WebhookDeliveryPage,
  type WebhookList,
  type WebhookRedelivery,
  type WebhookWithSecret,
} from '#openapi/kernel';
import { CliError } from '../cli.error';
import { print, say, table } from '../output/print';
import { shown } from '../output/shown';
import { type CallOptions, get, numberOf, post, reading, withQuery, writing } from './api-calls';
import { dangerous, type DangerOptions, mayGoOn } from './dangerous';

const STATES = ['pending', 'dead'];
const WRITER = 'superadmin';

interface FilterOptions {
  type?: string[];
  subject?: string;
  division?: string;
  actor?: string;
}

/** Webhooks: who is sent which events, and what could not be delivered. */
export function addWebhook(program: Command): void {
  const webhook = program.command('webhook').summary('who is sent which events, by signed webhooks');
  addSubscribing(webhook);
  addShowing(webhook);
  addChanging(webhook);
  addDelivering(webhook);
}

function withFilter(command: Command): Command {
  return command
    .option('--type <type...>', 'events of these types')
    .option('--subject <prefix>', 'of streams that begin so, such as invoice/')
    .option('--division <id>', 'of this division')
    .option('--actor <id>', 'of this actor');
}

function filterOf({ type, subject, division, actor }: FilterOptions): object | undefined {
  const filter = {
    ...(type !== undefined && { types: type }),
    ...(subject !== undefined && { subject }),
    ...(division !== undefined && { division }),
    ...(actor !== undefined && { actor }),
  };
  return Object.keys(filter).length === 0 ? undefined : filter;
}

function addSubscribing(webhook: Command): void {
  withFilter(writing(webhook.command('add'), WRITER))
    .description(
      'Sends events to URL from now on, those that fit every option, or all. Prints the secret that the receiver verifies them with: once.',
    )
    .argument('<url>', 'an https address; the chain shows it, so it must hold no secret')
    .option('--description <text>', 'for people')
    .option('--paused', 'begin when it is resumed')
    .action(
      async (url: string, options: CallOptions & FilterOptions & { description?: string; paused?: true }) => {
        const { description, paused } = options;
        const filter = filterOf(options);
        const body = { url, description, filter, ...(paused === true && { status: 'paused' }) };
        const answer = await post(options, '/kernel/webhooks', JSON.stringify(body));
        print(options.json === true ? answer : withSecret(answer));
      },
    );

  dangerous(writing(webhook.command('rotate-secret'), WRITER))
    .description('Gives a webhook another secret, and prints it: once.')
    .argument('<id>', 'the webhook')
    .option('--overlap <seconds>', 'how long the secret before it signs as well; 0 ends it at once', '86400')
    .action(async (id: string, options: CallOptions & DangerOptions & { overlap: string }) => {
      const overlapSeconds = numberOf('--overlap', options.overlap);
      const effects = [
        `The webhook ${id} gets another secret; the receiver has to be given it.`,
        overlapSeconds === 0
          ? 'Its present secret signs nothing from then on.'
          : `Its present secret signs as well for ${overlapSeconds} s; an older one signs nothing from then on.`,
      ];
      if (!(await mayGoOn(options, effects))) return;
      const answer = await post(options, pathOf(id, '/rotate-secret'), JSON.stringify({ overlapSeconds }));
      print(options.json === true ? answer : withSecret(answer));
    });
}

function addShowing(webhook: Command): void {
  reading(webhook.command('list'))
    .description('Lists webhooks.')
    .action(async (options: CallOptions) => {
      const answer = await get(options, '/kernel/webhooks');
      if (options.json === true) return print(answer);
      const { webhooks } = shown<WebhookList>(answer);
      const rows = webhooks.map(({ id, url, status, filter, description }) => ({
        id,
        status,
        to: url,
        events: filterText(filter),
        description: description ?? '',
      }));
      print(rows.length === 0 ? 'There are no webhooks.' : table(rows));
    });

  reading(webhook.command('show'))
    .description('Shows a webhook; never its secret.')
    .argument('<id>', 'the webhook')
    .action(async (id: string, options: CallOptions) => {
      const answer = await get(options, pathOf(id));
      print(options.json === true ? answer : describe(shown<Webhook>(answer)));
    });
}

function addChanging(webhook: Command): void {
  withFilter(writing(webhook.command('update'), WRITER))
    .description('Changes what is given. Options about events replace the whole filter.')
    .argument('<id>', 'the webhook')
    .option('--to <url>', 'send to this address')
    .option('--description <text>', 'for people')
    .option('--all-events', 'let everything through')
    .action(
      async (
        id: string,
        options: CallOptions & FilterOptions & { to?: string; description?: string; allEvents?: true },
      ) => {
        const { to: url, description, allEvents } = options;
        const filter = filterOf(options);
        if (filter !== undefined && allEvents === true) {
          throw new CliError('wrong_usage', '--all-events goes with no other option about events.');
        }
        const body = { url, description, filter: allEvents === true ? {} : filter };
        if (Object.values(body).every((member) => member === undefined)) {
          throw new CliError('wrong_usage', 'There is nothing to change; name an option.');
        }
        await change(id, body, options);
      },
    );

  writing(webhook.command('pause'), WRITER)
    .description('Sends nothing until it is resumed; what comes meanwhile is sent then.')
    .argument('<id>', 'the webhook')
    .action((id: string, options: CallOptions) => change(id, { status: 'paused' }, options));

  writing(webhook.command('resume'), WRITER)
    .description('Sends again, from where it was paused.')
    .argument('<id>', 'the webhook')
    .action((id: string, options: CallOptions) => change(id, { status: 'active' }, options));

  dangerous(writing(webhook.command('remove'), WRITER))
    .description('Removes a webhook.')
    .argument('<id>', 'the webhook')
    .action(async (id: string, options: CallOptions & DangerOptions) => {
      const effects = [
        `The webhook ${id} is sent nothing more, and its secret cannot be had again.`,
        'Events that it did not take yet, and its dead letters, are not delivered; they stay in the chain.',
      ];
      if (!(await mayGoOn(options, effects))) return;
      const answer = await post(options, pathOf(id, '/remove'), '{}');
      print(options.json === true ? answer : `${shown<Webhook>(answer).id} is removed.`);
    });
}

function addDelivering(webhook: Command): void {
  reading(webhook.command('deliveries'))
    .description('Lists events that a webhook has not taken, newest first: dead ones were given up.')
    .argument('<id>', 'the webhook')
    .option('--only <state>', STATES.join(', '))
    .option('--limit <n>', 'how many', '20')
    .option('--cursor <cursor>', 'go on after a page: its nextCursor')
    .action(async (id: string, options: CallOptions & { only?: string; limit: string; cursor?: string }) => {
      const { only, limit, cursor } = options;
      if (only !== undefined && !STATES.includes(only)) {
        throw new CliError('wrong_usage', `--only is one of ${STATES.join(', ')}.`);
      }
      const answer = await get(options, withQuery(pathOf(id, '/deliveries'), { state: only, limit, cursor }));
      if (options.json === true) return print(answer);
      const { deliveries, nextCursor } = shown<WebhookDeliveryPage>(answer);
      const rows = deliveries.map(({ eventId, type, state, attempts, dueAt, diedAt, lastError }) => ({
        event: eventId,
        type,
        state,
        attempts,
        when: dueAt ?? diedAt ?? '',
        error: lastError ?? '',
      }));
      print(rows.length === 0 ? 'There are no such events.' : table(rows));
      if (nextCursor !== null) say(`There are more: --cursor ${nextCursor}`);
    });

  writing(webhook.command('redeliver'), WRITER)
    .description('Sends events again. Receivers recognise them by their id.')
    .argument('<id>', 'the webhook')
    .argument('[event...]', 'ids of events; without them, all that were given up')
    .action(async (id: string, events: string[], options: CallOptions) => {
      const body = events.length === 0 ? {} : { eventIds: events };
      const answer = await post(options, pathOf(id, '/redeliver'), JSON.stringify(body));
      if (options.json === true) return print(answer);
      const { eventIds } = shown<WebhookRedelivery>(answer);
      print(`${eventIds?.join(', ') ?? 'What was given up'} is on its way.`);
    });
}

function pathOf(id: string, more = ''): string {
  return `/kernel/webhooks/${encodeURIComponent(id)}${more}`;
}

async function change(id: string, body: object, options: CallOptions): Promise<void> {
  const answer = await post(options, pathOf(id), JSON.stringify(body));
  print(options.json === true ? answer : describe(shown<Webhook>(answer)));
}

function filterText({ types, subject, division, actor }: Webhook['filter']): string {
  const parts = [
    ...(types === null ? [] : [types.join(', ')]),
    ...(subject === null ? [] : [`of ${subject}*`]),
    ...(division === null ? [] : [`of the division ${division}`]),
    ...(actor === null ? [] : [`by ${actor}`]),
  ];
  return parts.length === 0 ? 'all' : parts.join(' ');
}

function describe(webhook: Webhook): string {
  const { id, url, status, filter, secret, description } = webhook;
  const overlap = secret.previousUntil === null ? '' : `; the one before signs until ${secret.previousUntil}`;
  return [
    `${id} is ${status}`,
    `  to        ${url}`,
    `  events    ${filterText(filter)}`,
    ...(description === null ? [] : [`  what for  ${description}`]),
    `  secret    version ${secret.version} since ${secret.since}${overlap}`,
    ...(secret.rotate ? ['            comes from a row key that is being replaced: rotate it'] : []),
    `  updated   by ${webhook.updatedBy} at ${webhook.updatedAt}`,
  ].join('\n');
}

function withSecret(answer: string): string {
  const webhook = shown<WebhookWithSecret>(answer);
  const { signingSecret } = webhook;
  const secret =
    signingSecret === null
      ? 'The secret of this request was replaced since; rotate it to get another.'
      : `The secret, which is not shown again:\n${signingSecret}`;
  return `${describe(webhook)}\n\n${secret}`;
}
