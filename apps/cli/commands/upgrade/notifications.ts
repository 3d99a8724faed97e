import { type Command } from 'commander';
import { type NotificationPage, type RedeliveryAnswer } from '#openapi/kernel';
import { type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { CliError } from '../../cli.error';
import { print, table } from '../../output/print';
import { shown } from '../../output/shown';
import { withClient } from '../api-calls';

const STATES = ['pending', 'delivered', 'dead'];

/** Notifications: list who was told and who could not be, and send again. */
export function addNotifications(upgrade: Command): void {
  withConnectionOptions(upgrade.command('notifications'))
    .description(
      'Lists notifications about upgrades, newest first: those that could not be delivered are dead.',
    )
    .option('--only <state>', STATES.join(', '))
    .option('--limit <n>', 'how many', '20')
    .option('--json', "print the kernel's answer as it came")
    .action(async (options: ConnectionOptions & { only?: string; limit: string; json?: true }) => {
      const query = new URLSearchParams({ limit: options.limit });
      if (options.only !== undefined) {
        if (!STATES.includes(options.only)) {
          throw new CliError('wrong_usage', `--only is one of ${STATES.join(', ')}.`);
        }
        query.set('state', options.only);
      }
      const answer = await withClient(options, (client) =>
        client.get(`/kernel/admin/notifications?${query.toString()}`),
      );
      if (options.json === true) return print(answer);
      const { deliveries } = shown<NotificationPage>(answer);
      print(
        deliveries.length === 0
          ? 'There are no such notifications.'
          : table(
              deliveries.map(({ id, endpoint, type, subject, state, attempts, createdAt, lastError }) => ({
                id,
                to: endpoint,
                type,
                upgrade: subject,
                state,
                attempts: String(attempts),
                since: createdAt,
                error: lastError ?? '',
              })),
            ),
      );
    });

  withConnectionOptions(upgrade.command('redeliver'), 'superadmin')
    .description('Sends again a notification that was given up. Its receiver recognises it by its id.')
    .argument('<id>', 'the notification')
    .option('--endpoint <name>', 'to this endpoint alone')
    .option('--idempotency-key <key>', 'the same key and request give the same answer again')
    .option('--json', "print the kernel's answer as it came")
    .action(
      async (
        id: string,
        options: ConnectionOptions & { endpoint?: string; idempotencyKey?: string; json?: true },
      ) => {
        const { endpoint, idempotencyKey } = options;
        const answer = await withClient(options, (client) =>
          client.post(
            `/kernel/admin/notifications/${encodeURIComponent(id)}/redeliver`,
            JSON.stringify({ endpoint }),
            idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
          ),
        );
        if (options.json === true) return print(answer);
        const { endpoints } = shown<RedeliveryAnswer>(answer);
        print(`${id} is on its way to ${endpoints.join(', ')}.`);
      },
    );
}
