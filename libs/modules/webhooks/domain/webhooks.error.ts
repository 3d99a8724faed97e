import { CodedError } from '#evidence';

/**
 * - `webhook_not_found`: by id
 * - `too_many_webhooks`: there are as many as there may be
 * - `invalid_target`: the address is not one that events may be sent to; `pointer` says where it is wrong
 * - `event_not_for_webhook`: the event is not there, or the filter of the webhook leaves it out
 * - `webhook_backlog_full`: as many events wait for it as may be asked for
 */
export type WebhooksErrorCode =
  | 'webhook_not_found'
  | 'too_many_webhooks'
  | 'invalid_target'
  | 'event_not_for_webhook'
  | 'webhook_backlog_full';

export class WebhooksError extends CodedError<WebhooksErrorCode> {}
