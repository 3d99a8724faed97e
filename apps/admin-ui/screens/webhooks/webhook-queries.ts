import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { whileAttended } from '../../api/attention';
import { answered, api } from '../../api/client';
import { includingWritten } from '../../api/written-position';

export type Webhook = components['schemas']['Webhook'];
export type WebhookWithSecret = components['schemas']['WebhookWithSecret'];
export type FailedDelivery = components['schemas']['WebhookDeliveryPage']['deliveries'][number];

const EVERY_MS = 10_000;

export const webhooksQuery = queryOptions({
  queryKey: ['webhooks', 'all'],
  queryFn: ({ signal }) =>
    answered(api.GET('/kernel/webhooks', { params: { header: includingWritten() }, signal })),
});

export function webhookQuery(webhookId: string) {
  return queryOptions({
    queryKey: ['webhooks', 'one', webhookId],
    queryFn: ({ signal }) =>
      answered(
        api.GET('/kernel/webhooks/{webhookId}', {
          params: { path: { webhookId }, header: includingWritten() },
          signal,
        }),
      ),
  });
}

export function deliveriesQuery(
  webhookId: string,
  state: 'pending' | 'dead' | undefined,
  cursor: string | undefined,
) {
  return queryOptions({
    queryKey: ['webhooks', 'deliveries', webhookId, state, cursor],
    queryFn: ({ signal }) => {
      const query = { ...(state !== undefined && { state }), ...(cursor !== undefined && { cursor }) };
      return answered(
        api.GET('/kernel/webhooks/{webhookId}/deliveries', {
          params: { path: { webhookId }, query },
          signal,
        }),
      );
    },
    refetchInterval: whileAttended(EVERY_MS),
  });
}
