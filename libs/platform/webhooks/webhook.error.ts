import { CodedError } from '#evidence';

/**
 * - `bad_secret`: the file of an endpoint's secret contains none
 * - `bad_endpoint`: an endpoint cannot be used as it is described
 * - `overtaken`: another process has taken the position over
 */
export type WebhookErrorCode = 'bad_secret' | 'bad_endpoint' | 'overtaken';

export class WebhookError extends CodedError<WebhookErrorCode> {}
